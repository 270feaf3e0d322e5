"""The first row of a report: what came out, in a few large words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.analysis import Counts, Standing, best_run, counts, pareto_front, progress
from heliostat.analysis.counts import COST_DIGITS
from heliostat.analysis.feasibility import in_standing
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.figures.limits import limit_text
from heliostat.figures.numbers import short
from heliostat.metrics import Metric
from heliostat.trial import Proposal, Run, State


@dataclass(frozen=True)
class Headline:
    """One large fact.

    Args:
        label: What it is.
        value: The fact, short.
        full: The value in full.
        detail: One line below it.
        tone: ``accent``, ``good``, ``bad`` or empty.
    """

    label: str
    value: str
    full: str = ""
    detail: str = ""
    tone: str = ""


def headlines(spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[Headline, ...]:
    """Best value or front, every limit, runs and budget."""
    found = counts(spec, runs)
    limits = tuple(_limit(spec, runs, metric) for metric in spec.metrics.guardrails)
    return (*_results(spec, runs, found), *limits, _runs(found), *_convergence(spec, runs, found))


def recommendation(spec: ExperimentSpec, point: Proposal | None) -> tuple[Headline, ...]:
    """What is expected at the recommended point, and where that is; nothing without a point."""
    objectives = [metric for metric in spec.metrics.objectives if point and metric.name in point.predicted]
    if point is None or not objectives:
        return ()
    expected = point.predicted[objectives[0].name]
    value = f"{short(expected.mean)} ± {short(expected.stddev)}"
    where = ", ".join(f"{name} {short(item)}" for name, item in point.assignments.items())
    return (Headline(f"Expected {objectives[0].name} at the recommended point", value, where, point.why),)


def state_counts(spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[tuple[str, str, int], ...]:
    """``(tone, words, number)`` of each kind of end that occurred."""
    found = counts(spec, runs)
    tones = {State.FAILED: "bad", State.COMPLETED: "good", State.ACTIVE: "accent"}
    listed = [
        (tones.get(state, ""), state.value.replace("_", " "), number)
        for state, number in found.states.items()
        if number
    ]
    if found.infeasible:
        listed.append(("bad", "over a guardrail", found.infeasible))
    if found.incomplete:
        listed.append(("bad", "without finite metrics", found.incomplete))
    return tuple(listed)


def _results(spec: ExperimentSpec, runs: Sequence[Run], found: Counts) -> tuple[Headline, ...]:
    objectives = spec.metrics.objectives
    if not objectives:
        detail = f"of {found.counted} completed runs"
        return (Headline("Runs within all limits", str(found.feasible), detail=detail, tone="accent"),)
    if len(objectives) == 1:
        return (_best(spec, runs, found, objectives[0]),)
    front = pareto_front(spec, runs)
    names = " and ".join(metric.name for metric in objectives)
    tone = "accent" if front else ""
    return (
        Headline("Points on the Pareto front", str(len(front)), detail=names, tone=tone),
        *_volume(spec, runs),
    )


def _best(spec: ExperimentSpec, runs: Sequence[Run], found: Counts, metric: Metric) -> Headline:
    limits = " within guardrails" if spec.metrics.guardrails else ""
    label = f"Best {metric.name}{limits}"
    best = best_run(spec, runs)
    if best is None:
        missing = "all completed runs miss a limit" if found.counted else "no run has completed yet"
        return Headline(label, "–", detail=missing)
    value = best.numbers[metric.name]
    return Headline(label, short(value), repr(value), f"run {best.number}, {metric.objective}d", "accent")


def _volume(spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[Headline, ...]:
    reached = progress(spec, runs)
    if not reached.values or not math.isfinite(reached.values[-1]):
        return ()
    grown = f"share of the box; last grown by run {reached.improved[-1]}" if reached.improved else ""
    return (Headline("Hypervolume", short(reached.values[-1]), repr(reached.values[-1]), grown),)


def _limit(spec: ExperimentSpec, runs: Sequence[Run], metric: Metric) -> Headline:
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    met = sum(metric.is_met(run.numbers[metric.name]) for run in counted)
    label = f"Guardrail {limit_text(metric)}"
    tone = "good" if met else "bad" if counted else ""
    best = best_run(spec, runs)
    if best is None:
        detail = f"of {len(counted)} completed runs keep it"
        return Headline(label, str(met), repr(metric.threshold), detail, tone)
    value = best.numbers[metric.name]
    detail = f"best run; {met} of {len(counted)} completed runs keep it"
    return Headline(label, short(value), repr(value), detail, tone)


def _convergence(spec: ExperimentSpec, runs: Sequence[Run], found: Counts) -> tuple[Headline, ...]:
    """Whether more runs would still win anything; nothing before there is a feasible run."""
    if not found.feasible:
        return ()
    verdict = converged(spec, runs)
    since, needed = (int(verdict.evidence[key]) for key in ("runs_since_gain", "runs_needed"))
    detail = f"{since} runs since the last gain that counts; {needed} are enough"
    value, tone = ("yes", "good") if verdict.is_converged else ("not yet", "")
    return (Headline("Converged", value, verdict.reason, detail, tone),)


def _runs(found: Counts) -> Headline:
    if found.budget is None:
        return Headline("Runs", str(found.used), detail="no budget declared")
    left = round(found.budget - found.used, COST_DIGITS)
    detail = f"of {found.budget} runs, {left:g} left" if left > 0 else f"of {found.budget} runs, all used"
    return Headline("Budget used", str(found.used), detail=detail)
