"""Training curves of runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.analysis.best import leaders
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State

LARGEST_CURVE = 200
"""Most points of one curve; a screen is not wider."""


@dataclass(frozen=True)
class Curve:
    """One run's values of one metric by step.

    Args:
        number: The run's number.
        steps: Growing.
        values: As many; NaN where the metric was missing.
        times: When, in seconds since the epoch, as many; 0 where the reporter did not say.
        start: When the run began, by the same clock; NaN if unknown.
        is_best: Whether the run is the best one or on the Pareto front.
        is_stopped: Whether a scheduler ended it.
    """

    number: int
    steps: tuple[int, ...]
    values: tuple[float, ...]
    is_best: bool = False
    is_stopped: bool = False
    times: tuple[float, ...] = ()
    start: float = math.nan


def curve_metric(spec: ExperimentSpec, runs: Sequence[Run]) -> str | None:
    """The metric whose curves are worth a figure: the first declared one, else the most frequent.

    It must have two finite points in some run; ``None`` if none does.
    """
    lengths: Counter[str] = Counter()
    for run in runs:
        points = Counter(
            name for point in run.curve for name, value in point.values.items() if math.isfinite(value)
        )
        lengths.update({name: count for name, count in points.items() if count > 1})
    for metric in spec.metrics.all:
        if lengths[metric.name]:
            return metric.name
    return max(sorted(lengths), key=lambda name: lengths[name], default=None)


def curves(spec: ExperimentSpec, runs: Sequence[Run], metric: str) -> list[Curve]:
    """The metric's curves with at least one finite value, by run number, thinned to :data:`LARGEST_CURVE`."""
    best = {run.number for run in leaders(spec, runs)}
    found = []
    for run in sorted(runs, key=lambda item: item.number):
        points = {point.step: float(point.values.get(metric, math.nan)) for point in run.curve}
        if any(math.isfinite(value) for value in points.values()):
            steps = _thinned(sorted(points))
            values = tuple(points[step] for step in steps)
            is_stopped = run.state is State.EARLY_STOPPED
            clock = {point.step: point.time for point in run.curve}
            times = tuple(clock[step] for step in steps)
            start = math.nan if run.started is None else run.started
            found.append(
                Curve(run.number, tuple(steps), values, run.number in best, is_stopped, times, start)
            )
    return found


def _thinned(steps: list[int]) -> list[int]:
    if len(steps) <= LARGEST_CURVE:
        return steps
    stride = (len(steps) - 1) / (LARGEST_CURVE - 1)
    return [steps[round(place * stride)] for place in range(LARGEST_CURVE)]
