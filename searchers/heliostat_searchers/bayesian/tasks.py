"""Tasks: cheap proxies as one more column of the model, and the choice of the next run's task.

A task of relative cost c lies at ``-log10 c``: the full task at 0, one that costs a tenth at 1. One kernel
over parameters and this column learns how much the tasks have in common (a fidelity as one more dimension:
Klein et al. 2017, *Fast Bayesian optimization of machine learning hyperparameters on large datasets*;
Kandasamy et al. 2017, *Multi-fidelity Bayesian optimisation with continuous approximations*). Where to
measure next is decided for the full task; on which task, by the share of the uncertainty there that a run
would take away, per cost (after the entropy per cost of Swersky, Snoek and Adams 2013, *Multi-task Bayesian
optimization*).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec, Task
from heliostat.trial import History, Run
from heliostat_searchers.bayesian.gp import GP

Array = NDArray[np.float64]

OVERHEAD = 0.02
"""Cost of any run beside its task's, a fifth of the cheapest that is usual (a tenth), so that a task that
costs nothing is not measured for ever."""

PATIENCE = 2.0
"""Cost in full runs that may go into proxies without a full run: only those can be reported as the best.
Twenty runs of a tenth: as many as the largest initial design and its first answers."""

LAST = 2.0
"""Budget left below which all goes into full runs: one for what the proxies promise, one for what it
shows."""


def place_of(spec: ExperimentSpec, name: str | None) -> float:
    """Where a task lies in its column; runs without one are full runs."""
    if name is None or not spec.tasks:
        return 0.0
    costs = {task.name: task.cost for task in spec.tasks}
    return float(-np.log10(costs.get(name, 1.0)))


def cost_of(spec: ExperimentSpec, run: Run) -> float:
    """Cost of a run in full runs."""
    return float(10.0 ** -place_of(spec, run.task))


def full_task(spec: ExperimentSpec) -> Task:
    """The task of cost 1."""
    return max(spec.tasks, key=lambda task: task.cost)


def cheapest_task(spec: ExperimentSpec) -> Task:
    """The task that the initial design runs on."""
    return min(spec.tasks, key=lambda task: task.cost)


def is_full_due(spec: ExperimentSpec, history: History) -> bool:
    """Whether the next run must be a full one: after much spent on proxies, and near the end."""
    costs = [cost_of(spec, run) for run in history.runs if run.state.uses_budget]
    since = 0.0
    for cost in reversed(costs):
        if cost == 1.0:
            break
        since += cost
    left = np.inf if spec.budget is None else spec.budget - sum(costs)
    return since >= PATIENCE or left <= LAST


def chosen_task(
    spec: ExperimentSpec, models: tuple[GP, ...], point: Array, known: Collection[str | None] = ()
) -> Task:
    """The task that tells most about the full one at a point, per cost.

    Args:
        spec: With tasks.
        models: Of the metrics that matter.
        point: Features on the full task, ``1 x k``.
        known: Tasks that were measured there.
    """
    worth = {}
    for task in (item for item in spec.tasks if item.name not in known or item.cost == 1.0):
        asked = point.copy()
        asked[0, -1] = place_of(spec, task.name)
        told = np.mean([_share_told(model, point, asked) for model in models])
        worth[task] = told / (task.cost + OVERHEAD)
    return max(worth, key=lambda task: worth[task])


def _share_told(model: GP, point: Array, asked: Array) -> float:
    """The share of the variance at `point` that an observation at `asked` takes away."""
    shared = float(model.covariance(point, asked)[0, 0])
    variance = float(model.at(point)[1][0])
    noise = model.hyper.noise
    return shared**2 / (float(model.at(asked)[1][0]) + noise) / variance
