"""The Bayesian searcher: initial design, then beliefs → goal → best point, one proposal after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from scipy.linalg import LinAlgError

from heliostat.experiment import ExperimentSpec
from heliostat.space import Value
from heliostat.trial import History, Proposal
from heliostat_searchers.bayesian import design
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.goal import anchors, goal
from heliostat_searchers.bayesian.models import Models, fitted
from heliostat_searchers.bayesian.optimizer import best_point
from heliostat_searchers.bayesian.reasons import predictions, why
from heliostat_searchers.bayesian.rows import Rows, read_rows
from heliostat_searchers.novelty import Key, key, taken
from heliostat_searchers.sobol import next_points


class BayesianSearcher:
    """Gaussian processes per metric, and the acquisition function that fits what was declared.

    It starts with the user's defaults and a Sobol sequence, and returns to the sequence, with the reason,
    whenever the results so far cannot be modelled.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"multimetric", "guardrails", "conditionals", "linear_constraints"}
    )

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`."""
        used = taken(history)
        missing = min(count, max(0, design.planned(spec) - design.started(history)))
        rows = read_rows(spec, history)
        obstacle = design.obstacle(spec, rows) if missing < count else ""
        free = count if obstacle else missing
        points = design.points(spec, history, used, free, rng) if free else []
        reasons = ["initial design"] * missing + [f"explore: {obstacle}"] * (free - missing)
        proposals = [Proposal(values, why=reason) for values, reason in zip(points, reasons, strict=False)]
        if len(points) < free or free == count:
            return proposals
        used |= {key(values) for values in points}
        return proposals + _modelled(spec, history, rows, points, used, count - free, rng)


def _modelled(
    spec: ExperimentSpec,
    history: History,
    rows: Rows,
    ahead: list[dict[str, Value]],
    used: set[Key],
    count: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Up to `count` points that the models want, given that those `ahead` are under way."""
    cube = Cube(spec.space)
    proposals: list[Proposal] = []
    try:
        models = fitted(spec, cube, rows).with_pending(cube.features(cube.encoded(ahead)))
        known = anchors(rows, len(spec.metrics.objectives))
        while len(proposals) < count:
            found = _proposal(models, cube, known, used, rng)
            if found is None:
                break
            proposals.append(found)
            used.add(key(found.assignments))
            models = models.with_pending(cube.features(cube.encoded([dict(found.assignments)])))
    except LinAlgError as error:
        reason = f"explore: no model fits the results ({error})"
    else:
        reason = "explore: the model found nothing new"
    start, short = len(history) + len(ahead) + len(proposals), count - len(proposals)
    rest = next_points(spec, start, used, short, rng) if short else []
    return proposals + [Proposal(values, why=reason) for values in rest]


def _proposal(
    models: Models, cube: Cube, known: np.ndarray, used: set[Key], rng: np.random.Generator
) -> Proposal | None:
    aim = goal(models, cube.owners, rng)
    values = best_point(aim.acquisition, cube, known, used, aim.effort, rng)
    if values is None:
        return None
    point = cube.features(cube.encoded([values]))
    predicted = predictions(models, point)
    return Proposal(values, why=why(models, aim, point, predicted), predicted=predicted)
