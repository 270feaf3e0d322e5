"""How far an experiment is: progress, best points, criteria for stopping, advice, importances; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.analysis import budget_used, importances, leaders
from heliostat.analysis.counts import COST_DIGITS
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.service.errors import Refused
from heliostat.service.wire.declarations import task_object
from heliostat.service.wire.run_objects import evaluation, finite
from heliostat.trial import Run, State

OBSERVED = (State.COMPLETED, State.EARLY_STOPPED, State.FAILED)
"""Ends that are observations; what was lost or cancelled taught nothing."""


@dataclass(frozen=True)
class Usage:
    """Runs of an experiment that count, archived ones left out.

    Args:
        active: Handed out and not ended.
        finished: Ended, but for lost and cancelled ones.
        used: What both use of the budget.
    """

    active: int
    finished: int
    used: float


def usage(spec: ExperimentSpec, runs: Sequence[Run]) -> Usage:
    """The usage by runs at hand."""
    counted = [run for run in runs if not run.archived and run.state.uses_budget]
    active = sum(run.state.is_open for run in counted)
    return Usage(active, len(counted) - active, budget_used(spec, counted))


def runs_progress(spec: ExperimentSpec, found: Usage) -> dict[str, Any]:
    """The ``progress`` of an AI experiment."""
    left = None if spec.budget is None else max(0, round(spec.budget - found.used, COST_DIGITS))
    return {
        "object": "aiexperiment_progress",
        "active_run_count": found.active,
        "finished_run_count": found.finished,
        "total_run_count": found.active + found.finished,
        "remaining_budget": left,
    }


def observed(runs: Sequence[Run]) -> list[Run]:
    """The runs that are observations, by age."""
    return [run for run in runs if run.state in OBSERVED and not run.archived]


def observations_progress(spec: ExperimentSpec, runs: Sequence[Run]) -> dict[str, Any]:
    """The ``progress`` of a core experiment."""
    found = observed(runs)
    best = leaders(spec, found) if len(spec.metrics.objectives) == 1 and spec.num_solutions == 1 else []
    return {
        "object": "progress",
        "observation_count": len(found),
        "observation_budget_consumed": budget_used(spec, found),
        "first_observation": observation_object(found[0], spec) if found else None,
        "last_observation": observation_object(found[-1], spec) if found else None,
        "best_observation": observation_object(best[0], spec) if best else None,
    }


def suggestion_object(run: Run, spec: ExperimentSpec) -> dict[str, Any]:
    """A ``suggestion``; its id is its run's."""
    found: dict[str, Any] = {
        "object": "suggestion",
        "id": str(run.id),
        "experiment": str(run.experiment),
        "assignments": finite(run.assignments),
        "created": int(run.created),
        "deleted": run.archived,
        "state": "open" if run.state.is_open else "closed",
        "metadata": finite(run.metadata) or None,
        "origin": run.origin,
        "why": run.why,
        "attempt": run.attempt,
    }
    if spec.tasks:
        found["task"] = task_object(spec, run.task)
    return found


def observation_object(run: Run, spec: ExperimentSpec) -> dict[str, Any]:
    """An ``observation``; its id, and its suggestion's, is its run's."""
    declared = [metric.name for metric in spec.metrics.all if metric.name in run.values]
    is_failed = run.state is State.FAILED
    values = [] if is_failed else [evaluation(name, run.values[name]) for name in sorted(declared)]
    found: dict[str, Any] = {
        "object": "observation",
        "id": str(run.id),
        "experiment": str(run.experiment),
        "suggestion": str(run.id),
        "assignments": finite(run.assignments),
        "values": values,
        "failed": is_failed,
        "created": int(run.ended or run.created),
        "deleted": run.archived,
        "metadata": finite(run.metadata) or None,
        "end": str(run.state),
        "end_reason": run.end_reason,
    }
    if len(values) == 1:
        found |= {"value": values[0]["value"], "value_stddev": values[0]["value_stddev"]}
    if spec.tasks:
        found["task"] = task_object(spec, run.task)
    return found


def best_assignments(spec: ExperimentSpec, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The ``best_assignments``: the best run, the Pareto front, several solutions, or all feasible ones."""
    found = []
    for run in leaders(spec, observed(runs)):
        seen = observation_object(run, spec)
        item = {"object": "best_assignments", "id": str(run.id)}
        item |= {key: seen[key] for key in ("assignments", "values", "value", "value_stddev") if key in seen}
        found.append({**item, "metadata": seen["metadata"], **({"task": run.task} if spec.tasks else {})})
    return found


def stopping_criteria(spec: ExperimentSpec, runs: Sequence[Run]) -> dict[str, Any]:
    """The ``stopping_criteria``: SigOpt's two reasons, and how ours came about."""
    found, reasons = observed(runs), []
    if spec.budget is not None and budget_used(spec, found) >= spec.budget:
        reasons.append("observation_budget_reached")
    verdict = converged(spec, found)
    if verdict.is_converged:
        reasons.append("possible_stagnation")
    return {
        "object": "stopping_criteria",
        "should_stop": bool(reasons),
        "reasons": reasons,
        "convergence": {"is_converged": verdict.is_converged, "reason": verdict.reason},
    }


def metric_importances(spec: ExperimentSpec, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The ``metric_importances`` by metric.

    Raises:
        Refused: 422, no forest could be fitted yet.
    """
    found = importances(spec, observed(runs))
    if not any(item.shares for item in found):
        reason = next((item.unclear for item in found if item.unclear), "there are no observations")
        rule, remedy = f"importances cannot be computed yet: {reason}", "Observe more points."
        raise Refused(422, rule, remedy=remedy, code="HS-SERVICE-422")
    return [
        {
            "object": "metric_importances",
            "metric": item.metric,
            "importances": {name: item.shares[name] for name in sorted(item.shares)},
            "r2": finite(item.r2),
            "observations": item.runs,
            "unclear": item.unclear or None,
        }
        for item in found
        if item.shares
    ]


def best_practices(spec: ExperimentSpec, runs: Sequence[Run]) -> dict[str, Any]:
    """The ``best_practices``: what goes against good use, without refusing it."""
    live = [run for run in runs if not run.archived]
    waiting, used = sum(run.state.is_open for run in live), budget_used(spec, observed(live))
    bandwidth, d = spec.parallel_bandwidth or 1, max(len(spec.space.parameters), 1)
    rules = (
        (waiting > bandwidth, f"{waiting} suggestions are open, the parallel bandwidth is {bandwidth}"),
        (bandwidth > d, f"the parallel bandwidth is {bandwidth}, the number of parameters {d}"),
        (spec.budget is not None and used > spec.budget, f"the budget of {spec.budget} is used up"),
    )
    violations = [text for is_broken, text in rules if is_broken]
    return {"object": "best_practices", "no_violations": not violations, "violations": violations}
