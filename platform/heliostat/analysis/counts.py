"""How many runs ended how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.analysis.feasibility import Standing, standing
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State


@dataclass(frozen=True)
class Counts:
    """Numbers of runs.

    Args:
        total: All runs.
        states: By state, every state present.
        feasible: Counted runs within all guardrails.
        infeasible: Counted runs over a guardrail.
        incomplete: Completed runs without a finite value of some steering metric.
        used: Runs that count against the budget.
        budget: The declared budget, if any.
    """

    total: int
    states: Mapping[State, int]
    feasible: int
    infeasible: int
    incomplete: int
    used: int
    budget: int | None

    @property
    def counted(self) -> int:
        """Runs that can be compared: feasible and infeasible ones."""
        return self.feasible + self.infeasible


def counts(spec: ExperimentSpec, runs: Sequence[Run]) -> Counts:
    """The numbers of an experiment's runs."""
    states = Counter(run.state for run in runs)
    standings = Counter(standing(spec, run) for run in runs)
    return Counts(
        total=len(runs),
        states={state: states[state] for state in State},
        feasible=standings[Standing.FEASIBLE],
        infeasible=standings[Standing.INFEASIBLE],
        incomplete=standings[Standing.INCOMPLETE],
        used=sum(run.state.uses_budget for run in runs),
        budget=spec.budget,
    )
