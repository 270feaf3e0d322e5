"""The tables of a report: the leaders and all runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.analysis import leaders, standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.numbers import short
from heliostat.trial import Run

MOST_LEADERS = 50
"""Most rows of the table of leaders; the others are in the table of runs."""


@dataclass(frozen=True)
class Cell:
    """A value as text, and in full for those who point at it."""

    text: str
    full: str
    is_number: bool = False


@dataclass(frozen=True)
class Row:
    """A run's row: its number and one cell per column."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Leaders:
    """The best run or the Pareto front as a table.

    Args:
        heads: Names of the columns: metrics, then parameters.
        rows: By number.
        hidden: How many leaders have no row.
    """

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    hidden: int = 0

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers and are set to the right."""
        return [any(row.cells[place].is_number for row in self.rows) for place in range(len(self.heads))]


def leaders_table(spec: ExperimentSpec, runs: Sequence[Run]) -> Leaders:
    """Metrics and parameters of the leaders."""
    found = leaders(spec, runs)
    metrics = [metric.name for metric in spec.metrics.all]
    used = {name for run in found for name in run.assignments}
    parameters = [item.name for item in spec.space.dimensions if item.name in used]
    rows = tuple(
        Row(
            run.number,
            (
                *(cell(run.numbers.get(name)) for name in metrics),
                *(cell(run.assignments.get(name)) for name in parameters),
            ),
        )
        for run in found[:MOST_LEADERS]
    )
    return Leaders((*metrics, *parameters), rows, max(len(found) - MOST_LEADERS, 0))


def cell(value: Any) -> Cell:
    """The cell of a value; ``None`` gives a dash."""
    if value is None:
        return Cell("–", "not given")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return Cell(short(value), str(value), is_number)


def runs_table(spec: ExperimentSpec, runs: Sequence[Run]) -> dict[str, Any]:
    """All runs by column, for the page's script: full numbers, rows by number.

    Returns:
        ``columns`` (each ``name``, ``group`` and ``values``) and ``standings`` (one per row, for colour).
    """
    ordered = sorted(runs, key=lambda run: run.number)

    def column(name: str, group: str, value: Callable[[Run], Any]) -> dict[str, Any]:
        return {"name": name, "group": group, "values": [_plain(value(run)) for run in ordered]}

    columns = [
        column("run", "run", lambda run: run.number),
        column("state", "run", lambda run: run.state.value.replace("_", " ")),
        column("origin", "run", _origin),
        *(column(name, "metric", _reader("numbers", name)) for name in _metrics(spec, ordered)),
        *(column(name, "parameter", _reader("assignments", name)) for name in _parameters(spec, ordered)),
        column("seconds", "run", lambda run: run.seconds if math.isfinite(run.seconds) else None),
        column("why", "text", _why),
    ]
    if spec.tasks:
        columns.insert(3, column("task", "run", lambda run: run.task))
    return {"columns": columns, "standings": [standing(spec, run).value for run in ordered]}


def _metrics(spec: ExperimentSpec, runs: Sequence[Run]) -> list[str]:
    """Declared metrics, then others that runs reported."""
    names = [metric.name for metric in spec.metrics.all]
    return [*names, *sorted({name for run in runs for name in run.values} - set(names))]


def _parameters(spec: ExperimentSpec, runs: Sequence[Run]) -> list[str]:
    names = [item.name for item in spec.space.dimensions]
    return [*names, *sorted({name for run in runs for name in run.assignments} - set(names))]


def _reader(field: str, name: str) -> Callable[[Run], Any]:
    return lambda run: getattr(run, field).get(name)


def _origin(run: Run) -> str:
    return f"{run.origin} / {run.searcher}" if run.searcher else run.origin


def _why(run: Run) -> str:
    """The reason of the run's end if it ended badly, else the searcher's reason."""
    if run.failure is not None:
        return f"{run.failure.kind}: {run.failure.message}"
    return "; ".join(text for text in (run.why, run.end_reason) if text)


def _plain(value: Any) -> Any:
    """A JSON value: numbers that JSON lacks become their names."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value
    real = float(value)
    return real if math.isfinite(real) else str(real)
