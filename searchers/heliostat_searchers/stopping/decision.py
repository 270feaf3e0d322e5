"""Go on or stop: what a run would have to reach, and whether it still can.

A run is stopped when the chance that its end is of use is below a small risk: it must keep every guardrail,
lie within the thresholds of several objectives, and beat the best feasible run or, with several objectives,
not be dominated by the front. "The chance that the final value beats the best" as the criterion is Domhan et
al. 2015; here for any number of metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import non_dominated
from heliostat.metrics import Metric, Metrics
from heliostat_searchers.stopping.curves import Curve, FinishedCurves
from heliostat_searchers.stopping.forecast import Forecast, forecast
from heliostat_searchers.stopping.scales import Scale, scales

Array = NDArray[np.float64]

TOP = 0.5
"""A run whose best value so far is among this share of the finished ones' by then is never stopped for its
objectives, whatever the model says: curves cross and are jagged, and what the model has not seen it cannot
expect. With it the model may decide by one step: on jagged recorded curves a third instead of a half lost 1.6
times as much of the best, and a quarter three times as much although three hopeless steps were asked for."""

SAFE = 0.05
"""A guardrail that is met with less than this chance is the reason for a stop: the same one in twenty as
`risk`."""

NEARLY_DONE = 0.9
"""Behind this share of the usual length a stop saves less than a whole result is worth."""


@dataclass(frozen=True)
class Decision:
    """Whether to stop a run, and why.

    Args:
        is_stop: Whether it has no chance.
        reason: One sentence for people; empty if it goes on.
        chance: That its end is of use; NaN while too little is known.
        is_pause: Whether it should wait for its turn, where it can be resumed.
        is_unsafe: Whether a guardrail is what it will not keep.
    """

    is_stop: bool
    reason: str = ""
    chance: float = float("nan")
    is_pause: bool = False
    is_unsafe: bool = False


def decide(
    metrics: Metrics,
    finished: FinishedCurves,
    present: Curve,
    *,
    risk: float = 0.05,
    grace: float = 1,
    min_runs: int = 5,
) -> Decision:
    """Whether an open run should be stopped.

    Args:
        metrics: The experiment's.
        finished: Curves of runs that went to their end.
        present: What the run has shown so far.
        risk: Chance below which a run is stopped; one in twenty as in Domhan et al. 2015.
        grace: Steps before a run may be stopped.
        min_runs: Finished curves, longer than the present one, that must be known.
    """
    if present.step < grace:
        return Decision(False)
    now = judged(metrics, finished, present, risk, min_runs)
    if now.is_stop and not now.is_unsafe and _is_among_the_best(metrics, finished, present):
        return Decision(False, chance=now.chance)
    return now


def judged(
    metrics: Metrics,
    finished: FinishedCurves,
    present: Curve,
    risk: float,
    min_runs: int,
    *,
    margin: float = 0.0,
) -> Decision:
    """The decision by the last step alone, with the chance that the run's end is of use.

    Args:
        metrics: The experiment's.
        finished: Curves of runs that went to their end.
        present: What the run has shown so far.
        risk: Chance below which it is a stop.
        min_runs: Finished curves, longer than the present one, that must be known.
        margin: What is nearly as good as the best counts as of use, as a share of the usual gap to it.
    """
    is_shown = np.isfinite(present.by(present.step))
    known = finished.shown_by(present.step)
    if len(known):
        known = known.where(np.all(np.isfinite(known.now[:, is_shown]), axis=1))
    if len(known) < max(min_runs, 2) or not is_shown.any():
        return Decision(False)
    if present.step >= NEARLY_DONE * float(np.median(known.lengths)):
        return Decision(False)
    finals = finished.finals
    scaling = scales(metrics, finals, present.shown)
    expected = forecast(known, present, scaling)
    ends = expected.draws()
    met = _kept(metrics, scaling, ends)
    useful = _useful(metrics, scaling, finals, ends, margin)
    chance = float(np.mean(met.all(axis=1) & useful))
    if chance >= risk:
        return Decision(False, chance=chance)
    kept = met.mean(axis=0)
    is_unsafe = bool(len(kept)) and float(kept.min()) < min(risk, SAFE)
    basis = f"by the curves of {len(known)} finished runs"
    broken = int(kept.argmin()) if is_unsafe else None
    why = _why(metrics, scaling, expected, finals, broken)
    reason = f"early-stopped at step {present.step}: {why} (P = {chance:.2g}, {basis})"
    return Decision(True, reason, chance, is_unsafe=is_unsafe)


def _is_among_the_best(metrics: Metrics, finished: FinishedCurves, present: Curve) -> bool:
    """Whether ranks contradict the model: few enough of the others were better by then in every objective.

    Of runs at the middle in each of `m` unrelated objectives, ``TOP ** m`` of the others are.
    """
    m = len(metrics.objectives)
    own, others = present.best_by(present.step)[:m], finished.shown_by(present.step).best[:, :m]
    beaten = np.all(others >= own, axis=1) & np.any(others > own, axis=1)
    return m > 0 and float(np.mean(beaten)) <= TOP**m


def _kept(metrics: Metrics, scaling: Sequence[Scale], ends: Array) -> NDArray[np.bool_]:
    """Which guardrails each draw meets, ``draws x guardrails``; the threshold is 0 on their scale."""
    first = len(metrics.objectives)
    limits = [scale.apply(np.array([scale.anchor]))[0] for scale in scaling[first:]]
    return np.asarray(ends[:, first:] >= np.array(limits)[None, :])


def _useful(
    metrics: Metrics, scaling: Sequence[Scale], finals: Array, ends: Array, margin: float
) -> NDArray[np.bool_]:
    """Which draws are within the objectives' thresholds and not clearly beaten by a feasible run."""
    m = len(metrics.objectives)
    found = np.ones(len(ends), dtype=bool)
    for place, metric in enumerate(metrics.objectives):
        if metric.threshold is not None:
            limit = scaling[place].apply(np.array([metric.sign * metric.threshold]))[0]
            found &= ends[:, place] >= limit
    rivals = feasible(metrics, finals)[:, :m]
    if m and len(rivals):
        lowered = np.column_stack(
            [scale.apply(rivals[:, place] - margin * scale.unit) for place, scale in enumerate(scaling[:m])]
        )
        for rival in lowered[non_dominated(lowered)]:
            found &= np.any(ends[:, :m] > rival, axis=1)
    return found


def feasible(metrics: Metrics, finals: Array) -> Array:
    """The rows that keep every guardrail."""
    first = len(metrics.objectives)
    limits = [metric.sign * float(metric.threshold or 0.0) for metric in metrics.guardrails]
    return finals[np.all(finals[:, first:] >= np.array(limits)[None, :], axis=1)]


def _why(
    metrics: Metrics,
    scaling: Sequence[Scale],
    expected: Forecast,
    finals: Array,
    broken: int | None,
) -> str:
    """Words for a stop: of the guardrail that is surely `broken`, by its place, or else of the objectives."""
    first = len(metrics.objectives)
    if broken is not None:
        metric = metrics.guardrails[broken]
        side = "<=" if metric.sign < 0 else ">="
        ends = _end(metric, scaling[first + broken], expected, first + broken)
        return f"{ends}, over the guardrail {metric.name} {side} {metric.threshold:g}"
    ends = " and ".join(
        _end(metric, scaling[place], expected, place) for place, metric in enumerate(metrics.objectives)
    )
    rivals = feasible(metrics, finals)
    if first == 1 and len(rivals):
        best = metrics.objectives[0].sign * float(rivals[:, 0].max())
        return f"{ends}, the best finished run has {best:.4g}"
    return f"{ends}, which no longer reaches the Pareto front" if first > 1 else f"{ends}, of no use"


def _end(metric: Metric, scale: Scale, expected: Forecast, place: int) -> str:
    middle = float(expected.mean[place])
    spread = float(np.sqrt(expected.covariance[place, place]))
    low, end, high = (metric.sign * scale.undo(middle + side * spread) for side in (-1.0, 0.0, 1.0))
    return f"{metric.name} is expected to end at {end:.4g} ({min(low, high):.3g} to {max(low, high):.3g})"
