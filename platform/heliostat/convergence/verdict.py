"""The verdict: how patient to be, and whether the record and the model have used that patience up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heliostat.analysis import Standing, standing
from heliostat.convergence.expectation import expected_gains
from heliostat.convergence.record import NOISE_FACTOR, Record, record
from heliostat.experiment import ExperimentSpec
from heliostat.trial import History, Run

PATIENCE, PER_DIMENSION = 10, 2
"""Runs without a gain that make a search without a model suspicious: a few tries, and twice as many as a
linear model of its surroundings needs to point out of them."""

MANY_DIMENSIONS = 20
"""More parameters do not make a search more patient: few of them matter then (Bergstra and Bengio 2012)."""

WITNESSES = 5
"""Points in a row of which the model must have expected nothing: it often explores once, then wins again;
five times in a row it hardly does."""

TRUSTED, DOUBTED = 0.5, 2.0
"""How a model's opinion changes the patience: "nothing more" against "there is more". Never to nothing and
never without end: a model is one witness of two."""


@dataclass(frozen=True)
class Convergence:
    """Whether a search has converged, and why.

    Args:
        is_converged: Whether to stop.
        reason: One sentence for people.
        evidence: Numbers: ``runs`` that ended, ``runs_since_gain``, ``runs_needed`` without a gain,
            ``last_gain_run``, ``meaningful_gain`` (the smallest that counts, in the unit of the metric, of
            hypervolume as a share of the box, or of new places), ``expected_gain`` (the most that the model
            expected of its last points) and ``noise`` where they are known.
    """

    is_converged: bool
    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.is_converged

    def __str__(self) -> str:
        return self.reason

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"is_converged": self.is_converged, "reason": self.reason, "evidence": dict(self.evidence)}
        return found


def converged(spec: ExperimentSpec, history: History | Sequence[Run]) -> Convergence:
    """Whether more runs would still win anything: a function of the declaration and the runs.

    It never says yes while the initial design is under way or no run is feasible. It knows one objective,
    several (hypervolume of the feasible front), and guardrails alone (new satisfactory runs are near known
    ones).

    Args:
        spec: The experiment.
        history: Its runs, open ones included.
    """
    runs = history.runs if isinstance(history, History) else tuple(history)
    known = record(spec, runs)
    numbers: dict[str, float] = {"runs": len(known.ended)}
    patience = _patience(spec, runs)
    if known.last is None:
        what = "no run keeps all limits" if spec.metrics.guardrails else "no run has completed"
        return Convergence(False, f"goes on: {what} yet", numbers)
    numbers |= {"runs_since_gain": len(known.since), "last_gain_run": known.last.number}
    numbers |= {"meaningful_gain": known.unit, "runs_needed": patience}
    if known.noise:
        numbers["noise"] = known.noise
    is_heard = len(spec.metrics.objectives) == 1 and any(run.predicted for run in known.ended)
    least = math.ceil(TRUSTED * patience) if is_heard else patience
    if len(known.since) < least:
        return Convergence(False, _goes_on(known, least), {**numbers, "runs_needed": least})
    needed, expected = _hearing(spec, known, patience)
    numbers["runs_needed"] = needed
    if not math.isnan(expected):
        numbers["expected_gain"] = expected
    if len(known.since) < needed:
        return Convergence(False, _goes_on(known, needed, expected), numbers)
    return Convergence(True, _is_over(known, needed, expected), numbers)


def _patience(spec: ExperimentSpec, runs: Sequence[Run]) -> int:
    """Runs without a gain; those under way together were chosen without knowing of each other."""
    together = max(spec.parallel_bandwidth or 1, _most_at_once(runs))
    alone = PATIENCE + PER_DIMENSION * min(spec.space.d, MANY_DIMENSIONS)
    return alone * spec.num_solutions + together - 1


def _most_at_once(runs: Sequence[Run]) -> int:
    """Most runs that were open together, ever: what is open now comes and goes."""
    begun = [(run.created, 1) for run in runs if run.state.uses_budget]
    over = [(run.ended or run.created, -1) for run in runs if run.state.uses_budget and not run.state.is_open]
    count = most = 0
    for _, change in sorted(begun + over):
        count += change
        most = max(most, count)
    return most


def _hearing(spec: ExperimentSpec, known: Record, patience: int) -> tuple[int, float]:
    """Runs needed, and the most that the model expected of its last points (NaN without a model).

    The model is heard after each run since the last gain, and no later word of it undoes a verdict: what has
    converged stays so until the next gain.
    """
    count = len(known.since)
    before = known.ended[: len(known.ended) - count][-WITNESSES:]
    heard_of = [*before, *known.since]
    hopes = expected_gains(spec, known, heard_of)
    # Where its points fail or miss a limit the model is still learning where the good region ends.
    hopes = [math.nan if _is_bad(spec, run) else hope for run, hope in zip(heard_of, hopes, strict=True)]
    limit = max(known.unit, NOISE_FACTOR * known.noise)
    for ended in range(1, count):
        heard = hopes[: len(before) + ended]
        needed = math.ceil(_factor(spec, heard, limit) * patience)
        if needed <= ended:
            return needed, _most(heard)
    return math.ceil(_factor(spec, hopes, limit) * patience), _most(hopes)


def _is_bad(spec: ExperimentSpec, run: Run) -> bool:
    return standing(spec, run) in (Standing.FAILED, Standing.INCOMPLETE, Standing.INFEASIBLE)


def _factor(spec: ExperimentSpec, hopes: Sequence[float], limit: float) -> float:
    """What the model's opinion does to the patience.

    With several objectives its "nothing more" is about the next point alone, and a front has room for many.
    """
    most = _most(hopes)
    if math.isnan(most):
        return 1.0
    if most > limit:
        return DOUBTED
    return TRUSTED if len(spec.metrics.objectives) == 1 else 1.0


def _most(hopes: Sequence[float]) -> float:
    """The largest of the last hopes; NaN unless all of them are known."""
    last = hopes[-WITNESSES:]
    return max(last) if len(last) == WITNESSES and not any(math.isnan(hope) for hope in last) else math.nan


def _goes_on(known: Record, needed: int, expected: float = math.nan) -> str:
    number = known.last.number if known.last else 0
    won = "a new place was found" if known.measure == "coverage" else f"{known.measure} gained"
    count = len(known.since)
    ago = f"{count} run{'' if count == 1 else 's'} ago"
    said = f"goes on: {won} by run {number}, {ago}; {needed} without a gain are needed"
    return said if math.isnan(expected) else f"{said}, since the model expects up to {expected:.3g} more"


def _is_over(known: Record, needed: int, expected: float) -> str:
    if known.measure == "coverage":
        what = f"no satisfactory run far from the known {known.best:g} places"
    else:
        size = f"{known.unit:.2g}" if known.unit else "0"
        noise = " or the noise" if known.noise else ""
        what = f"no gain of {known.measure} above {size}{noise}"
    said = f"converged: {what} in the last {len(known.since)} runs, {needed} are enough"
    if math.isnan(expected):
        return said
    if expected > max(known.unit, NOISE_FACTOR * known.noise):
        return f"{said} although the model still expected up to {expected:.2g}"
    return f"{said} since the model expected at most {expected:.2g}"
