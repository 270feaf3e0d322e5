"""What to know before relying on an experiment's answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from heliostat.analysis import Standing, counts
from heliostat.analysis.counts import COST_DIGITS
from heliostat.analysis.feasibility import in_standing
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.figures.limits import limit_text
from heliostat.figures.numbers import short
from heliostat.trial import Run

LITTLE_ROOM = 0.05
"""A guardrail kept by less than this share of its limit is worth a word."""


def caveats(spec: ExperimentSpec, runs: Sequence[Run], chosen: Run | None) -> tuple[str, ...]:
    """One sentence each: guardrails, room, noise, failures, search, budget, production.

    Args:
        spec: The experiment.
        runs: Its runs.
        chosen: The run that is the answer, if there is one.
    """
    return (
        *_guardrails(spec, runs),
        *(_room(spec, chosen) if chosen else ()),
        *(_noise(spec, runs, chosen) if chosen else ()),
        *_failures(runs),
        *_search(spec, runs),
        *_production(runs, chosen),
    )


def _guardrails(spec: ExperimentSpec, runs: Sequence[Run]) -> list[str]:
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    told = []
    for metric in spec.metrics.guardrails:
        missed = sum(not metric.is_met(run.numbers[metric.name]) for run in counted)
        if missed:
            told.append(f"{missed} of {len(counted)} completed runs miss {limit_text(metric)}.")
    return told


def _room(spec: ExperimentSpec, chosen: Run) -> list[str]:
    told = []
    for metric in spec.metrics.guardrails:
        limit, value = metric.threshold, chosen.numbers[metric.name]
        if limit and abs(limit - value) < LITTLE_ROOM * abs(limit):
            share = 100 * abs(limit - value) / abs(limit)
            told.append(f"{metric.name} is {short(value)}, {share:.1f} % from its limit of {short(limit)}.")
    return told


def _noise(spec: ExperimentSpec, runs: Sequence[Run], chosen: Run) -> list[str]:
    first = spec.metrics.steering[0].name
    repeats = [
        run.numbers[first]
        for run in in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
        if run.assignments == chosen.assignments
    ]
    stddev = chosen.values[first].stddev
    if stddev:
        return [f"{first} was measured with a standard error of {short(stddev)}."]
    if len(repeats) > 1:
        span = f"{short(min(repeats))} to {short(max(repeats))}"
        return [f"{len(repeats)} runs of the same settings gave {first} from {span}."]
    return [f"{first} of the answer was measured once, so how much of it is luck is not known."]


def _failures(runs: Sequence[Run]) -> list[str]:
    kinds = Counter(run.failure.kind for run in runs if run.failure is not None)
    if not kinds:
        return []
    kind, _ = kinds.most_common(1)[0]
    return [f"{sum(kinds.values())} of {len(runs)} runs failed or were lost, most often by {kind}."]


def _search(spec: ExperimentSpec, runs: Sequence[Run]) -> list[str]:
    found, verdict = counts(spec, runs), converged(spec, runs)
    told = [
        f"The search {verdict.reason}." if not verdict.is_converged else f"The search has {verdict.reason}."
    ]
    if found.budget is not None:
        left = round(found.budget - found.used, COST_DIGITS)
        told.append(
            f"{left:g} of {found.budget} runs are left." if left > 0 else "The whole budget has been used."
        )
    return told


def _production(runs: Sequence[Run], chosen: Run | None) -> list[str]:
    known = [run.number for run in runs if run.late.get("production")]
    if not known:
        return ["Nothing has been measured in production yet."]
    if chosen is not None and chosen.number not in known:
        listed = ", ".join(str(number) for number in known[:6])
        return [f"The answer has not been measured in production; runs {listed} have."]
    return []
