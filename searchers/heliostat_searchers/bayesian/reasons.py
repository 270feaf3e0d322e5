"""What a proposal says for itself: predictions in natural units, and one line for people."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray

from heliostat.trial import Prediction
from heliostat_searchers.bayesian.acquisition import Acquisition, LogProbability
from heliostat_searchers.bayesian.goal import Goal
from heliostat_searchers.bayesian.models import Models
from heliostat_searchers.bayesian.pareto import is_efficient

Array = NDArray[np.float64]


SMALLEST = 1e-3
"""Chance below which its size tells nobody anything."""


def predictions(models: Models, point: Array) -> dict[str, Prediction]:
    """What is expected of each steering metric at one point (``1 x k``)."""
    result = {}
    for column, model in zip(models.columns, (*models.objectives, *models.guardrails), strict=True):
        mean, variance = model.at(point)
        result[column.metric.name] = column.natural(float(mean[0]), float(np.sqrt(variance[0])))
    return result


def why(models: Models, goal: Goal, point: Array, predicted: dict[str, Prediction]) -> str:
    """The reason for one point (``1 x k``): exploit where the expected values alone are an improvement."""
    if goal.aim == "coverage":
        return f"coverage: {_chance(models, goal, point)}, where little is known to meet them"
    if goal.aim == "feasibility":
        begun = "no run within the bounds has met all limits yet"
        return f"feasibility: {begun}, this one {_chance(models, goal, point)}"
    expected = np.column_stack([model.mean(point) for model in models.objectives])
    known = np.column_stack([model.mean(models.baseline) for model in models.objectives])
    improves = not np.any(np.all(known >= expected, axis=1))
    names = [column.metric.name for column in models.columns[: len(models.objectives)]]
    numbers = ", ".join(f"{name} {predicted[name].mean:.4g} ± {predicted[name].stddev:.2g}" for name in names)
    if len(names) == 1:
        best = models.columns[0].natural(float(known.max()), 0.0).mean
        beside = f"the model's best so far {best:.4g}"
    else:
        beside = f"front of {int(is_efficient(known).sum())}"
    aim = f"{goal.aim}, " if goal.aim in ("solution", "plateau") else ""
    safe = _chance(models, goal, point)
    return f"{aim}{'exploit' if improves else 'explore'}: expects {numbers}; {beside}{safe and f'; {safe}'}"


def _chance(models: Models, goal: Goal, point: Array) -> str:
    """The chance that the point succeeds and keeps the limits; nothing where neither is in doubt."""
    doubts = tuple(term for term in goal.acquisition.terms if isinstance(term, LogProbability))
    what = ["succeeds"] if models.success is not None else []
    what += ["meets all limits"] if models.guardrails else []
    if not doubts:
        return ""
    chance = exp(float(Acquisition(goal.acquisition.models, doubts).values(point)[0]))
    shown = f"P = {chance:.2g}" if chance >= SMALLEST else f"P < {SMALLEST:g}"
    return f"{' and '.join(what)} with {shown}"
