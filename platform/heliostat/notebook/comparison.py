"""Runs side by side, as text and as a table of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from heliostat.errors import InvalidValue
from heliostat.trial import Run

if TYPE_CHECKING:
    from heliostat.report.comparison import Compared, Sides

# Reports and figures are imported where they are used: ``from heliostat import *`` needs none of them.


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; the first is what the others are measured against.

    Args:
        runs: Two to eight.
    """

    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        from heliostat.report.comparison import LEAST, MOST

        if not LEAST <= len(self.runs) <= MOST:
            rule = f"compares {LEAST} to {MOST} runs"
            raise InvalidValue("compare", rule, given=len(self.runs), remedy="Choose some of them.")

    @property
    def heads(self) -> tuple[str, ...]:
        """One name per run."""
        return tuple(f"run {run.number}" if run.number else run.name or f"run {run.id}" for run in self.runs)

    @property
    def metrics(self) -> list[tuple[str, ...]]:
        """Name, the first run's value, the others' with their distance from it; missing ones are ``–``."""
        return [_with_distances(row) for row in self._sides.metrics]

    @property
    def differing(self) -> list[tuple[str, ...]]:
        """Name and values of the parameters and facts in which the runs differ."""
        return [(row.name, *_texts(row)) for row in self._others if row.differs]

    @property
    def same(self) -> list[tuple[str, ...]]:
        """Name and value of those in which they do not."""
        return [(row.name, _texts(row)[0]) for row in self._others if not row.differs]

    def __str__(self) -> str:
        rows = [("", *self.heads), *self.metrics, *self.differing]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([*(line.rstrip() for line in lines), *([self._sameness] if self.same else [])])

    def _repr_html_(self) -> str:
        from heliostat.notebook.markup import heading, table, text

        rows = [[text(cell) for cell in row] for row in (*self.metrics, *self.differing)]
        note = f"<p>{text(self._sameness)}</p>" if self.same else ""
        return f"{heading('Comparison')}{table(('', *self.heads), rows)}{note}"

    @cached_property
    def _sides(self) -> Sides:
        from heliostat.report.comparison import comparison

        return comparison(self.runs, {})

    @property
    def _others(self) -> tuple[Compared, ...]:
        return (*self._sides.parameters, *self._sides.facts)

    @property
    def _sameness(self) -> str:
        return "the same: " + ", ".join(f"{name}={value}" for name, value in self.same)


def compare(runs: Sequence[Run]) -> Comparison:
    """Runs side by side: printed as text, in a notebook as a table.

    Args:
        runs: Two to eight, of any experiments; the first is what the others are measured against.

    Raises:
        InvalidValue: There are fewer or more.
    """
    return Comparison(tuple(runs))


def _texts(row: Compared) -> tuple[str, ...]:
    return tuple(cell.text for cell in row.cells)


def _with_distances(row: Compared) -> tuple[str, ...]:
    pairs = zip(_texts(row), row.deltas, strict=True)
    return (row.name, *(f"{value} ({delta})" if delta else value for value, delta in pairs))
