"""The point to take home: the best by the model, not the luckiest by its number."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from heliostat.errors import HeliostatError
from heliostat.experiment import ExperimentSpec
from heliostat.trial import History, Proposal
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.gp import NO_FIT
from heliostat_searchers.bayesian.models import fitted
from heliostat_searchers.bayesian.reasons import predictions
from heliostat_searchers.bayesian.rows import read_rows

ENOUGH = 0.5
"""Least chance that a recommended point meets all guardrails: rather yes than no."""


def recommended(spec: ExperimentSpec, history: History) -> Proposal | None:
    """The known point with the best posterior mean on the full task, among those that likely meet the limits.

    With noise the lowest observation is mostly luck; the posterior mean at known points is the identification
    rule of Frazier, Powell and Dayanik 2009. None with several objectives or without a model.
    """
    rows = read_rows(spec, history)
    if len(spec.metrics.objectives) != 1 or rows.distinct < 2 or rows.columns[0].is_constant:
        return None
    cube = Cube(spec.space, has_tasks=bool(spec.tasks))
    try:
        models = fitted(spec, cube, rows, history.sources)
        points = cube.features(rows.units)
        chance = np.ones(rows.n)
        for model, limit in zip(models.guardrails, models.limits, strict=True):
            mean, variance = model.at(points)
            chance *= ndtr((mean - limit) / np.sqrt(variance))
        worth = np.where((chance >= ENOUGH) & rows.is_inside, models.objectives[0].mean(points), -np.inf)
    except HeliostatError:
        raise
    except NO_FIT:
        return None
    if not np.isfinite(worth).any():
        return None
    place = int(np.argmax(worth))
    values = spec.space.decode_freely(rows.units[place])  # a known point, which nothing has to be pulled from
    predicted = predictions(models, points[place : place + 1])
    return Proposal(values, why="best posterior mean among known points", predicted=predicted)
