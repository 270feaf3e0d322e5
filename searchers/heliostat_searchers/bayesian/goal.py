"""From beliefs to the acquisition function of one proposal: which terms a declared experiment needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat_searchers.bayesian.acquisition import (
    Acquisition,
    LogExpectedImprovement,
    LogProbability,
    Term,
)
from heliostat_searchers.bayesian.gp import GP
from heliostat_searchers.bayesian.models import Models, scalarised
from heliostat_searchers.bayesian.optimizer import FRUGAL, THOROUGH, Effort
from heliostat_searchers.bayesian.pareto import (
    HYPERVOLUME_OBJECTIVES,
    LogHypervolumeImprovement,
    is_efficient,
    reference_point,
)
from heliostat_searchers.bayesian.rows import Rows

Array = NDArray[np.float64]

ANCHORS = 5
"""Best known points whose surroundings are searched; more would thin out the copies of each."""


@dataclass(frozen=True, eq=False)
class Goal:
    """What one proposal is chosen for.

    Args:
        acquisition: The function to maximise.
        effort: How hard to search for its maximum.
        is_feasibility: Whether only safety counts, because no feasible point is known.
    """

    acquisition: Acquisition
    effort: Effort
    is_feasibility: bool = False


def goal(models: Models, owners: NDArray[np.intp], rng: np.random.Generator) -> Goal:
    """The goal of the next proposal under these beliefs.

    Args:
        models: Beliefs, with at least one model.
        owners: Dimension of each feature column, ``k``.
        rng: Draws the weights of a scalarisation.
    """
    if not len(models.baseline):
        safe = Acquisition((*models.guardrails, *_success(models)), _safety(models, 0))
        return Goal(safe, THOROUGH, is_feasibility=True)
    m = len(models.objectives)
    effort = FRUGAL if 1 < m <= HYPERVOLUME_OBJECTIVES else THOROUGH
    if m > HYPERVOLUME_OBJECTIVES:
        models = scalarised(models, rng.dirichlet(np.ones(m)), owners)
        m = 1
    known = np.column_stack([model.at(models.baseline)[0] for model in models.objectives])
    base: Term = LogExpectedImprovement(float(known.max())) if m == 1 else _hypervolume(models, known)
    everyone = (*models.objectives, *models.guardrails, *_success(models))
    return Goal(Acquisition(everyone, (base, *_safety(models, m))), effort)


def anchors(rows: Rows, m: int) -> Array:
    """Places of the best known rows, best first, ``r x d``.

    Best is: feasible and of the largest value, or on the front of `m` objectives; while nothing is feasible,
    closest to the limits.
    """
    values = np.column_stack([column.values for column in rows.columns])
    feasible = np.flatnonzero(rows.is_feasible)
    if not len(feasible):
        limits = np.array([-np.inf if column.limit is None else column.limit for column in rows.columns])
        order = np.argsort(np.maximum(limits - values, 0.0).sum(axis=1), kind="stable")
    elif m == 1:
        order = feasible[np.argsort(-values[feasible, 0], kind="stable")]
    else:
        order = feasible[is_efficient(values[feasible, :m])]
        order = order[np.linspace(0, len(order) - 1, min(ANCHORS, len(order))).astype(np.intp)]
    return np.asarray(rows.units[order[:ANCHORS]])


def _hypervolume(models: Models, known: Array) -> LogHypervolumeImprovement:
    limits = [column.limit for column in models.columns[: known.shape[1]]]
    return LogHypervolumeImprovement(known, reference_point(known, limits))


def _success(models: Models) -> tuple[GP, ...]:
    return () if models.success is None else (models.success,)


def _safety(models: Models, first: int) -> tuple[Term, ...]:
    """The terms of guardrails and success; `first` is the column of the first guardrail."""
    terms = [LogProbability(limit, first + place) for place, limit in enumerate(models.limits)]
    if models.success is not None:
        terms.append(LogProbability(models.safe, first + len(models.limits)))
    return tuple(terms)
