"""Which runs may be compared, and which of them keep within the guardrails.

A run is *counted* when it completed on the full task and every steering metric has a finite value. Failed,
early-stopped, lost, cancelled and open runs are never counted, nor are runs of cheaper tasks: their values
estimate another quantity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run, State


class Standing(str, Enum):
    """What a run is worth to a reader."""

    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    INCOMPLETE = "incomplete"
    PROXY = "proxy"
    ACTIVE = "active"
    EARLY_STOPPED = "early_stopped"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value


def standing(spec: ExperimentSpec, run: Run) -> Standing:
    """The run's state, refined for completed runs.

    ``incomplete`` completed without a finite value of some steering metric; ``proxy`` completed on a cheaper
    task; otherwise the guardrails decide.
    """
    if run.state is not State.COMPLETED:
        return Standing(run.state.value)
    if run.task is not None and any(task.name == run.task and task.cost < 1 for task in spec.tasks):
        return Standing.PROXY
    is_feasible = True
    for metric in spec.metrics.steering:  # one pass: this is asked of every run for every figure
        measured = run.values.get(metric.name)
        if measured is None or not math.isfinite(measured.value):
            return Standing.INCOMPLETE
        if metric.strategy == "constraint" and not metric.is_met(measured.value):
            is_feasible = False
    return Standing.FEASIBLE if is_feasible else Standing.INFEASIBLE


def is_counted(spec: ExperimentSpec, run: Run) -> bool:
    """Whether the run completed on the full task with finite steering metrics."""
    return standing(spec, run) in (Standing.FEASIBLE, Standing.INFEASIBLE)


def is_feasible(spec: ExperimentSpec, run: Run) -> bool:
    """Whether the run is counted and every guardrail holds."""
    return standing(spec, run) is Standing.FEASIBLE


def in_standing(spec: ExperimentSpec, runs: Sequence[Run], *wanted: Standing) -> list[Run]:
    """The runs with any of these standings, by number; archived ones are left out."""
    found = (run for run in runs if not run.archived and standing(spec, run) in wanted)
    return sorted(found, key=lambda run: run.number)
