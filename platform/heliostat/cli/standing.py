"""How an experiment stands, in plain lines."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.analysis import Standing, best_run, counts, leaders
from heliostat.analysis.feasibility import in_standing
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.figures.limits import limit_text
from heliostat.figures.numbers import short
from heliostat.trial import Run, State

MOST_RUNNING = 8
MOST_FRONT = 6
WIDTH = 30
"""Characters of the bar of the budget."""


def summary(spec: ExperimentSpec, runs: Sequence[Run]) -> str:
    """One line: budget, best, feasible, running, failed."""
    found = counts(spec, runs)
    budget = f"/{found.budget}" if found.budget is not None else ""
    parts = [f"used {short(found.used)}{budget}", _best(spec, runs)]
    if spec.metrics.guardrails:
        parts.append(f"feasible {found.feasible}/{found.counted}")
    parts.append(f"running {found.states[State.ACTIVE]}")
    if found.states[State.FAILED]:
        parts.append(f"failed {found.states[State.FAILED]}")
    return "  ".join(parts)


def lines(spec: ExperimentSpec, runs: Sequence[Run], now: float) -> list[str]:
    """The same at length: also the front, every guardrail, the convergence, what runs and for how long."""
    found = counts(spec, runs)
    shown = [_bar(found.used, found.budget)]
    states = [f"{number} {state.value.replace('_', ' ')}" for state, number in found.states.items() if number]
    shown += [", ".join(states) or "no runs yet", "", _best(spec, runs), *_front(spec, runs)]
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    for metric in spec.metrics.guardrails:
        kept = sum(metric.is_met(run.numbers[metric.name]) for run in counted)
        shown.append(f"guardrail {limit_text(metric)}: kept by {kept} of {len(counted)}")
    if found.feasible:
        shown.append(str(converged(spec, runs)))
    running = [run for run in runs if run.state.is_open]
    if running:
        shown += ["", f"running {len(running)}"]
        shown += [_running(run, now) for run in running[:MOST_RUNNING]]
    return shown


def _bar(used: float, budget: int | None) -> str:
    if budget is None:
        return f"{short(used)} runs, no budget"
    full = round(WIDTH * min(used / budget, 1.0))
    return f"[{'#' * full}{'.' * (WIDTH - full)}] {short(used)} of {budget}"


def _best(spec: ExperimentSpec, runs: Sequence[Run]) -> str:
    objectives = spec.metrics.objectives
    if len(objectives) == 1:
        best = best_run(spec, runs)
        name = objectives[0].name
        return (
            f"best {name} {short(best.numbers[name])} (run {best.number})" if best else f"no best {name} yet"
        )
    found = leaders(spec, runs)
    return f"front of {len(found)}" if objectives else f"{len(found)} runs keep all limits"


def _front(spec: ExperimentSpec, runs: Sequence[Run]) -> list[str]:
    objectives = spec.metrics.objectives
    if len(objectives) < 2:
        return []
    first = objectives[0]
    found = sorted(leaders(spec, runs), key=lambda run: -first.sign * run.numbers[first.name])
    rows = []
    for run in found[:MOST_FRONT]:
        values = ", ".join(f"{item.name} {short(run.numbers[item.name])}" for item in objectives)
        rows.append(f"  run {run.number}: {values}")
    return rows + ([f"  and {len(found) - MOST_FRONT} more"] if len(found) > MOST_FRONT else [])


def _running(run: Run, now: float) -> str:
    seconds = max(now - (run.started or run.created), 0.0)
    lasted = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    values = ", ".join(f"{name} {short(value)}" for name, value in run.numbers.items())
    return f"  run {run.number}, {lasted}{': ' if values else ''}{values}"
