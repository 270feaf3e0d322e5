"""What an early-stopped run would have reached, judged by the curves of runs that went to the end.

``estimate = min(shown + median gain of completed runs from that step on, max(shown, best final))``: an
unfinished run is never believed to be better than every finished one, unless it already is. Ignoring the gain
would make early-stopped rows look worse than they are; ignoring the rows would waste most of the budget under
an early-stopping scheduler.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
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
        task: Which task a run is of.
    """

    def __init__(self, completed: Sequence[Run], task: Callable[[Run], float] = lambda _: 0.0) -> None:
        self._task = task
        self._runs: dict[float, list[Run]] = {}
        for run in completed:
            self._runs.setdefault(task(run), []).append(run)
        self._curves: dict[tuple[str, float], list[tuple[Curve, float]]] = {}
        self._gains: dict[tuple[str, float, int], float] = {}

    def estimate(self, run: Run, metric: Metric) -> float:
        """The value that an early-stopped run would have ended with, NaN if it showed none.

        Args:
            run: The early-stopped run.
            metric: Which value, and which direction is better.
        """
        step, shown = _last(run, metric.name)
        if not isfinite(shown):
            return nan
        task = self._task(run)
        gain = nan if step is None else self._gain(metric.name, task, step)
        if not isfinite(gain):
            return shown
        sign = metric.sign
        ceiling = max(sign * shown, sign * self._best(metric, task))
        return sign * min(sign * (shown + gain), ceiling)

    def _known(self, name: str, task: float) -> list[tuple[Curve, float]]:
        """Curve and final value of each run on a task that has one, the lowest first."""
        if (name, task) not in self._curves:
            runs = [(run, _last(run, name)[1]) for run in self._runs.get(task, [])]
            curves = [(_curve(run, name), final) for run, final in runs if isfinite(final)]
            self._curves[name, task] = sorted(curves, key=lambda item: item[1])
        return self._curves[name, task]

    def _best(self, metric: Metric, task: float) -> float:
        return self._known(metric.name, task)[-1 if metric.sign > 0 else 0][1]

    def _gain(self, name: str, task: float, step: int) -> float:
        """The median gain from a step on; NaN where no finished run has shown anything by then."""
        if (name, task, step) not in self._gains:
            gains = [
                final - values[place - 1]
                for (steps, values), final in self._known(name, task)
                if (place := bisect_right(steps, step))
            ]
            self._gains[name, task, step] = median(gains) if gains else nan
        return self._gains[name, task, step]


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
