"""How many runs ended how."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heliostat.analysis.feasibility import Standing, standing
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State

COST_DIGITS = 9
"""Digits to which costs are summed: ten tenths are one."""


@dataclass(frozen=True)
class Counts:
    """Numbers of runs.

    Args:
        total: All runs.
        states: By state, every state present.
        feasible: Counted runs within all guardrails.
        infeasible: Counted runs over a guardrail.
        incomplete: Completed runs without a finite value of some steering metric.
        used: What they have used of the budget.
        budget: The declared budget, if any.
    """

    total: int
    states: Mapping[State, int]
    feasible: int
    infeasible: int
    incomplete: int
    used: float
    budget: int | None

    @property
    def counted(self) -> int:
        """Runs that can be compared: feasible and infeasible ones."""
        return self.feasible + self.infeasible


def counts(spec: ExperimentSpec, runs: Sequence[Run]) -> Counts:
    """The numbers of an experiment's runs, without archived ones."""
    runs = [run for run in runs if not run.archived]
    states = Counter(run.state for run in runs)
    standings = Counter(standing(spec, run) for run in runs)
    return Counts(
        total=len(runs),
        states={state: states[state] for state in State},
        feasible=standings[Standing.FEASIBLE],
        infeasible=standings[Standing.INFEASIBLE],
        incomplete=standings[Standing.INCOMPLETE],
        used=budget_used(spec, runs),
        budget=spec.budget,
    )


def budget_used(spec: ExperimentSpec, runs: Iterable[Run]) -> float:
    """What runs have used of the budget: 1 each, or the cost of their tasks; a whole number if it is one.

    Lost, cancelled and archived runs use nothing.
    """
    return budget_of(spec, Counter(run.task for run in runs if run.state.uses_budget and not run.archived))


def budget_of(spec: ExperimentSpec, counted: Mapping[str | None, int]) -> float:
    """What so many runs of each task use of the budget."""
    if not spec.tasks:
        return sum(counted.values())
    used = round(math.fsum(spec.cost(task) * count for task, count in counted.items()), COST_DIGITS)
    return int(used) if used == int(used) else used
