"""What an early-stopped run would have reached, judged by the curves of runs that went to the end.

``estimate = min(shown + median gain of completed runs from that step on, max(shown, best final))``: an
unfinished run is never believed to be better than every finished one, unless it already is. Ignoring the gain
would make early-stopped rows look worse than they are; ignoring the rows would waste most of the budget under
an early-stopping scheduler.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from math import isfinite, nan
from statistics import median

from heliostat.metrics import Metric
from heliostat.trial import Run

Curve = tuple[list[int], list[float]]
"""Ascending steps and the values there."""


class Finished:
    """The runs that went to the end, and what they gained on the way.

    A rung stops many runs at one step: what the finished ones gained from there on is reckoned once.

    Args:
        completed: Runs that went to the end, on any tasks; a run is judged by those of its own.
    """

    def __init__(self, completed: Sequence[Run]) -> None:
        self._completed = completed
        self._known = cache(self._read)
        self._gain = cache(self._gained)

    def estimate(self, run: Run, metric: Metric) -> float:
        """The value that an early-stopped run would have ended with, NaN if it showed none.

        Args:
            run: The early-stopped run.
            metric: Which value, and which direction is better.
        """
        step, shown = _last(run, metric.name)
        if not isfinite(shown):
            return nan
        gain = nan if step is None else self._gain(metric.name, run.task, step)
        if not isfinite(gain):
            return shown
        sign = metric.sign
        ceiling = max(sign * shown, *(sign * final for _, final in self._known(metric.name, run.task)))
        return sign * min(sign * (shown + gain), ceiling)

    def _read(self, name: str, task: str | None) -> list[tuple[Curve, float]]:
        """Curve and final value of each run on a task that has one."""
        runs = [(run, _last(run, name)[1]) for run in self._completed if run.task == task]
        return [(_curve(run, name), final) for run, final in runs if isfinite(final)]

    def _gained(self, name: str, task: str | None, step: int) -> float:
        """The median gain from a step on; NaN where no finished run has shown anything by then."""
        gains = [
            final - values[place - 1]
            for (steps, values), final in self._known(name, task)
            if (place := bisect_right(steps, step))
        ]
        return median(gains) if gains else nan


def _curve(run: Run, name: str) -> Curve:
    points = [point for point in run.curve if isfinite(point.values.get(name, nan))]
    points.sort(key=lambda point: point.step)
    return [point.step for point in points], [point.values[name] for point in points]


def _last(run: Run, name: str) -> tuple[int | None, float]:
    """Step and value of the last point of the curve, else the last reported value without a step."""
    for point in reversed(run.curve):
        if isfinite(point.values.get(name, nan)):
            return point.step, point.values[name]
    return None, run.numbers.get(name, nan)
