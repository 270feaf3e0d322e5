"""Guardrails that are surely lost: a limit that is missed now and will not be met any more.

Three ways to be sure, none of which is a model:

1. The guardrail is declared irreversible: what it measures never gets better within a run (seconds or money
   used so far, peak memory, the number of weights). Missed once, it stays missed.
2. No finished run ever got that much better. The gap must be above :data:`CAUTION` times the largest
   recovery that any finished run made from the same step on, and
3. at the fastest rate that this run has shown it would not close the gap in the steps that are usually left.

The second and third hold together, and only with enough finished runs. A metric that never changes along any
curve (a size, a latency) has no recovery at all, so its first value decides.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from heliostat.metrics import Metric, Metrics
from heliostat_searchers.stopping.curves import Curve, FinishedCurves, Shown
from heliostat_searchers.stopping.decision import Decision

Array = NDArray[np.float64]

CAUTION = 2.0
"""The next run may recover better than all before it (once in n + 1), but hardly twice as well."""


def lost_guardrail(
    metrics: Metrics,
    finished: FinishedCurves,
    present: Curve,
    *,
    irreversible: Collection[str] = (),
    grace: float = 1,
    min_runs: int = 5,
) -> Decision:
    """Whether an open run should be stopped for a guardrail that it will surely miss.

    Args:
        metrics: The experiment's.
        finished: Curves of runs that went to their end.
        present: What the run has shown so far.
        irreversible: Guardrails that never get better within a run.
        grace: Steps before a run may be stopped; irreversible guardrails do not wait for it.
        min_runs: Finished curves, longer than the present one, that must be known for the second and third.
    """
    now = present.by(present.step)
    known = finished.shown_by(present.step)
    for place, metric in enumerate(metrics.steering):
        if metric.strategy != "constraint" or not np.isfinite(now[place]):
            continue
        gap = metric.sign * float(metric.threshold or 0.0) - now[place]
        if gap <= 0:
            continue
        if metric.name in irreversible:
            return _lost(metric, present, place, "it never gets better within a run")
        if present.step < grace or len(known) < max(min_runs, 2):
            continue
        recovery = _largest_recovery(known, place)
        is_beyond = not recovery or gap > _fastest(present, place) * _steps_left(known)
        if gap > CAUTION * recovery and is_beyond:
            least = f"by more than {recovery:.3g} " if recovery else ""
            why = f"from there on it never got better {least}in {len(known)} finished runs"
            return _lost(metric, present, place, why)
    return Decision(False)


def _lost(metric: Metric, present: Curve, place: int, why: str) -> Decision:
    value = metric.sign * float(present.by(present.step)[place])
    side = "<=" if metric.sign < 0 else ">="
    reason = (
        f"early-stopped at step {present.step:g}: {metric.name} = {value:.4g} misses the guardrail "
        f"{metric.name} {side} {metric.threshold:g} for good: {why}"
    )
    return Decision(True, reason, chance=0.0)


def _largest_recovery(known: Shown, place: int) -> float:
    """How much better a finished run ended than it stood at the step, at most; at least 0."""
    gains = known.finals[:, place] - known.now[:, place]
    return max(float(np.nanmax(gains, initial=0.0)), 0.0)


def _fastest(present: Curve, place: int) -> float:
    """The most that the run gained in one step, infinite while unknown; later it seldom gains more."""
    if len(present.steps) < 2:
        return float("inf")
    values = present.shown[:, place]
    steps = np.diff(np.array(present.steps, dtype=float))
    rates = np.diff(values) / steps
    rates = rates[np.isfinite(rates)]
    return max(float(rates.max(initial=0.0)), 0.0)


def _steps_left(known: Shown) -> float:
    return float(known.lengths.max()) - known.step
