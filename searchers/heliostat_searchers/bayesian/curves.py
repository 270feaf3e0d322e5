"""What an early-stopped run would have reached, judged by the curves of runs that went to the end.

``estimate = min(shown + median gain of completed runs from that step on, max(shown, best final))``: an
unfinished run is never believed to be better than every finished one, unless it already is. Ignoring the gain
would make early-stopped rows look worse than they are; ignoring the rows would waste most of the budget under
an early-stopping scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from statistics import median

from heliostat.metrics import Metric
from heliostat.trial import Run


def estimated_final(run: Run, metric: Metric, completed: Sequence[Run]) -> float:
    """The value that an early-stopped run would have ended with, NaN if it showed none.

    Args:
        run: The early-stopped run.
        metric: Which value, and which direction is better.
        completed: Runs that went to the end.
    """
    step, shown = _last(run, metric.name)
    if not isfinite(shown):
        return nan
    finals = [final for other in completed if isfinite(final := _final(other, metric.name))]
    gains = [] if step is None else _gains(completed, metric.name, step)
    if not gains or not finals:
        return shown
    sign = metric.sign
    reached = sign * (shown + median(gains))
    ceiling = max(sign * shown, *(sign * final for final in finals))
    return sign * min(reached, ceiling)


def _gains(completed: Sequence[Run], name: str, step: int) -> list[float]:
    pairs = ((_shown_by(run, name, step), _final(run, name)) for run in completed)
    return [final - before for before, final in pairs if isfinite(before) and isfinite(final)]


def _shown_by(run: Run, name: str, step: int) -> float:
    values = [
        point.values[name]
        for point in run.curve
        if point.step <= step and isfinite(point.values.get(name, nan))
    ]
    return values[-1] if values else nan


def _final(run: Run, name: str) -> float:
    _, value = _last(run, name)
    return value


def _last(run: Run, name: str) -> tuple[int | None, float]:
    """Step and value of the last point of the curve, else the last reported value without a step."""
    for point in reversed(run.curve):
        if isfinite(point.values.get(name, nan)):
            return point.step, point.values[name]
    return None, run.numbers.get(name, nan)
