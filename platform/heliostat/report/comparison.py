"""Runs side by side: what differs first, and how far each is from the first run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.experiment import ExperimentSpec
from heliostat.figures.numbers import short
from heliostat.report.tables import Cell, cell
from heliostat.trial import Run

LEAST, MOST = 2, 8
"""How many runs can be compared."""


@dataclass(frozen=True)
class Compared:
    """A fact of all runs.

    Args:
        name: What it is.
        cells: Its value by run.
        deltas: Distance of each value from the first run's in words; empty where there is none.
        tones: ``good`` or ``bad`` where the metric's direction says so.
        differs: Whether the runs differ in it.
    """

    name: str
    cells: tuple[Cell, ...]
    deltas: tuple[str, ...]
    tones: tuple[str, ...]
    differs: bool


@dataclass(frozen=True)
class Sides:
    """All facts by group, those that differ first."""

    runs: tuple[Run, ...]
    metrics: tuple[Compared, ...]
    parameters: tuple[Compared, ...]
    facts: tuple[Compared, ...]


def comparison(runs: Sequence[Run], specs: Mapping[int, ExperimentSpec]) -> Sides:
    """The comparison of runs, which may be of several experiments.

    Args:
        runs: The first is what the others are measured against.
        specs: Declarations by experiment, for the direction of metrics.
    """
    signs = {
        metric.name: metric.sign
        for spec in specs.values()
        for metric in spec.metrics.all
        if metric.strategy != "store"
    }
    metrics = _rows(runs, lambda run: run.numbers, signs)
    parameters = _rows(runs, lambda run: run.assignments, {})
    return Sides(tuple(runs), metrics, parameters, _rows(runs, _facts, {}))


def _rows(
    runs: Sequence[Run], read: Callable[[Run], Mapping[str, Any]], signs: Mapping[str, float]
) -> tuple[Compared, ...]:
    given = [read(run) for run in runs]
    names = dict.fromkeys(name for item in given for name in item)
    rows = [_row(name, [item.get(name) for item in given], signs.get(name, 0.0)) for name in names]
    return tuple(sorted(rows, key=lambda row: not row.differs))


def _row(name: str, values: Sequence[Any], sign: float) -> Compared:
    deltas, tones = [""], [""]
    for value in values[1:]:
        text, tone = _delta(values[0], value, sign)
        deltas.append(text)
        tones.append(tone)
    differs = any(repr(value) != repr(values[0]) for value in values)
    return Compared(name, tuple(cell(value) for value in values), tuple(deltas), tuple(tones), differs)


def _delta(base: Any, value: Any, sign: float) -> tuple[str, str]:
    if not (_is_finite(base) and _is_finite(value)) or value == base:
        return "", ""
    away = value - base
    if not math.isfinite(away):
        return "", ""
    sign_of = "+" if away > 0 else "−"
    share = f", {sign_of}{abs(away / base):.1%}" if base and abs(away / base) < 10 else ""
    text = f"{sign_of}{short(abs(away))}{share}"
    return text, "" if not sign else "good" if away * sign > 0 else "bad"


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _facts(run: Run) -> dict[str, Any]:
    found = {
        "state": run.state.value.replace("_", " "),
        "origin": f"{run.origin} / {run.searcher}" if run.searcher else run.origin,
        "model": run.model,
        "datasets": ", ".join(sorted(run.datasets)) or None,
        "code": run.source_hash,
        "user": run.user or None,
        "seconds": run.seconds if math.isfinite(run.seconds) else None,
        "tags": ", ".join(run.tags) or None,
        **{f"metadata {name}": _scalar(value) for name, value in run.metadata.items()},
    }
    return {name: value for name, value in found.items() if value is not None}


def _scalar(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) or value is None else str(value)
