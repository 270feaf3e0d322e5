"""Data for lines across parallel axes: parameters, then metrics. The page's own script draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from heliostat.analysis import Importance, Standing, importances, leaders, standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.importance import ranked
from heliostat.figures.marks import value_of
from heliostat.figures.numbers import compact, number_of_runs
from heliostat.figures.scale import scale
from heliostat.metrics import Metric
from heliostat.space import Categorical, Parameter
from heliostat.trial import Run

KEY, TITLE = "parameter-space", "Parameter space"
MOST_AXES = 12
MOST_METRICS = 4
MOST_LINES = 500
"""More hide each other, and a browser takes up to a fifth of a millisecond to paint one."""

CLASSES = ("open", "stopped", "failed", "infeasible", "feasible", "best")
"""What a line's colour says, in drawing order."""

_CLASS = {
    Standing.FEASIBLE: "feasible",
    Standing.INFEASIBLE: "infeasible",
    Standing.EARLY_STOPPED: "stopped",
    Standing.FAILED: "failed",
    Standing.INCOMPLETE: "failed",
}


def parameter_space(
    spec: ExperimentSpec, runs: Sequence[Run], *, known: Sequence[Importance] | None = None
) -> Card:
    """Up to :data:`MOST_AXES` axes, the most important parameters first; `known` saves fitting again."""
    best = {run.number for run in leaders(spec, runs)}
    kept = _kept(runs, best)
    if not any(run.assignments for run in kept):
        return Card(
            KEY, TITLE, kind="parallel", absent="There are no runs yet. It appears with the first one."
        )
    metrics = spec.metrics.all[:MOST_METRICS]
    order = ranked(spec, importances(spec, runs) if known is None else known)
    names = order[: MOST_AXES - len(metrics)]
    axes = [_parameter_axis(spec.space.by_name[name], kept) for name in names]
    axes += [_metric_axis(metric, kept) for metric in metrics]
    figure = {
        "axes": axes,
        "numbers": [run.number for run in kept],
        "classes": [_class(spec, run, best) for run in kept],
        "ranks": _ranks(spec, kept),
    }
    hidden = len(order) - len(names)
    notes = (f"{hidden} less important parameters have no axis.",) if hidden else ()
    reading = (
        "Each line is a run; drag along an axis to keep only the runs that pass there, click it to let go."
    )
    claim = number_of_runs(len(runs))
    if len(kept) < len(runs):
        claim = f"the best and the latest, {len(kept)} of {len(runs)} runs"
    return Card(
        KEY, TITLE, kind="parallel", claim=claim, how_to_read=reading, figure=compact(figure), notes=notes
    )


def _kept(runs: Sequence[Run], best: set[int]) -> list[Run]:
    """The runs that are drawn, by number: the best, and with them the latest."""
    ordered = sorted(runs, key=lambda run: run.number)
    if len(ordered) <= MOST_LINES:
        return ordered
    chosen = sorted(ordered, key=lambda run: (run.number in best, run.number))[-MOST_LINES:]
    return sorted(chosen, key=lambda run: run.number)


def _class(spec: ExperimentSpec, run: Run, best: set[int]) -> str:
    if run.number in best:
        return "best"
    return _CLASS.get(standing(spec, run), "open")


def _ranks(spec: ExperimentSpec, runs: Sequence[Run]) -> list[float | None]:
    """Place of each run's first steering metric among all, 0 worst to 1 best; colour follows it."""
    metric = spec.metrics.steering[0]
    values = np.array([metric.sign * value_of(run, metric.name) for run in runs], dtype=float)
    finite = values[np.isfinite(values)]
    below = np.searchsorted(np.sort(finite), values)
    last = max(len(finite) - 1, 1)
    return [
        float(place / last) if math.isfinite(value) else None
        for value, place in zip(values, below, strict=True)
    ]


def _parameter_axis(item: Parameter, runs: Sequence[Run]) -> dict[str, Any]:
    given = [run.assignments.get(item.name) for run in runs]
    if isinstance(item, Categorical):
        extra = sorted({str(value) for value in given if value is not None} - set(item.values))
        names = [*item.values, *extra]
        places = [None if value is None else names.index(str(value)) for value in given]
        return {"name": item.name, "kind": "category", "names": names, "values": places}
    values = [math.nan if value is None or isinstance(value, str) else float(value) for value in given]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([item.bounds[0], *finite]), max([item.bounds[1], *finite])
    kind = "log" if item.log and low > 0 else "linear"
    return {"name": item.name, "kind": kind, "low": low, "high": high, "values": values}


def _metric_axis(metric: Metric, runs: Sequence[Run]) -> dict[str, Any]:
    values = [value_of(run, metric.name) for run in runs]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    is_log = scale(finite).is_log if finite else False
    return {
        "name": metric.name,
        "kind": "log" if is_log else "linear",
        "low": low,
        "high": high,
        "values": values,
        "is_metric": True,
        "limit": metric.threshold,
        "sign": metric.sign,
    }
