"""The Bayesian searcher: initial design, then beliefs → goal → best point, one proposal after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from heliostat.errors import HeliostatError
from heliostat.experiment import ExperimentSpec
from heliostat.ports import Surrogate
from heliostat.space import Value
from heliostat.trial import History, Proposal, Run
from heliostat_searchers.bayesian import design
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.goal import anchors, goal
from heliostat_searchers.bayesian.gp import NO_FIT
from heliostat_searchers.bayesian.models import Models, fitted
from heliostat_searchers.bayesian.optimizer import best_point
from heliostat_searchers.bayesian.reasons import predictions, why
from heliostat_searchers.bayesian.recommendation import recommended
from heliostat_searchers.bayesian.rows import Rows, read_rows
from heliostat_searchers.bayesian.start import first_points, interleaved
from heliostat_searchers.bayesian.surrogate import surrogate_of
from heliostat_searchers.bayesian.tasks import cheapest_task, chosen_task, full_task, is_full_due, place_of
from heliostat_searchers.novelty import Key, key, taken
from heliostat_searchers.sobol import next_points
from heliostat_searchers.threads import one_thread

logger = logging.getLogger("heliostat")


class BayesianSearcher:
    """Gaussian processes per metric, and the acquisition function that fits what was declared.

    It starts with the user's defaults and a Sobol sequence, and returns to the sequence, with the reason,
    whenever the results so far cannot be modelled.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {
            "multimetric",
            "guardrails",
            "active_search",
            "conditionals",
            "linear_constraints",
            "tasks",
            "multisolution",
            "transfer",
        }
    )

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`."""
        with one_thread():
            return _suggested(spec, history, count, rng)

    def recommend(self, spec: ExperimentSpec, history: History) -> Proposal | None:
        """The point to take home; see :func:`.recommendation.recommended`."""
        with one_thread():
            return recommended(spec, history)

    def surrogate(self, spec: ExperimentSpec, history: History) -> Surrogate | None:
        """The models of the metrics; see :mod:`.surrogate`."""
        with one_thread():
            return surrogate_of(spec, history)


def _suggested(
    spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
) -> list[Proposal]:
    used = taken(history)
    rows = read_rows(spec, history)
    missing = min(count, max(0, design.planned(spec, history) - design.started(history)))
    obstacle = design.obstacle(spec, history, rows) if missing < count else ""
    free = count if obstacle else missing
    begun = _begun(spec, history, used, free, obstacle, missing, rng) if free else []
    if len(begun) < free or free == count:
        return begun
    if spec.tasks:
        used = taken(history, task=full_task(spec).name)
    used |= {key(item.assignments) for item in begun}
    return begun + _modelled(spec, history, rows, begun, used, count - free, rng)


def _begun(
    spec: ExperimentSpec,
    history: History,
    used: set[Key],
    count: int,
    obstacle: str,
    missing: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Points that need no model of our own runs: the user's defaults, then sources beside the design."""
    own = design.defaults(spec, used) if missing else []
    used, start, left = used | {key(values) for values in own}, len(history) + len(own), count - len(own)
    likely = _likely(spec, history, used, left, rng) if history.sources and left else []
    points = next_points(spec, start, used | {key(values) for values in likely}, left, rng) if left else []
    mixed = [(values, False) for values in own] + interleaved(likely, points, left, start)
    reasons = ["initial design"] * missing + [f"explore: {obstacle}"] * (count - missing)
    task = cheapest_task(spec).name if spec.tasks else None
    return [
        Proposal(values, task=task, why="transfer: the best place by earlier experiments" if told else reason)
        for (values, told), reason in zip(mixed, reasons, strict=False)
    ]


def _likely(
    spec: ExperimentSpec, history: History, used: set[Key], count: int, rng: np.random.Generator
) -> list[dict[str, Value]]:
    try:
        return first_points(spec, history, used, count, rng)
    except HeliostatError:
        raise
    except NO_FIT as error:
        logger.warning("no model fits the sources, the initial design takes their place", exc_info=error)
        return []


def _modelled(
    spec: ExperimentSpec,
    history: History,
    rows: Rows,
    ahead: Sequence[Proposal],
    used: set[Key],
    count: int,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Up to `count` points that the models want, given that those `ahead` are under way."""
    cube = Cube(spec.space, has_tasks=bool(spec.tasks))
    proposals: list[Proposal] = []
    try:
        models = fitted(spec, cube, rows, history.sources, float(rng.random()))
        models = models.with_pending(_features(spec, cube, ahead)) if ahead else models
        known = anchors(rows, len(spec.metrics.objectives), models, cube)
        while len(proposals) < count:
            turn = len(history) + len(ahead) + len(proposals)
            found = _proposal(spec, models, cube, known, used, turn, rng)
            if found is None:
                break
            found = _on_task(spec, history, models, cube, found, (*ahead, *proposals))
            proposals.append(found)
            used.add(key(found.assignments))
            models = models.with_pending(_features(spec, cube, [found]))
    except HeliostatError:
        raise
    except NO_FIT as error:
        logger.warning("no model fits the results, a Sobol point takes its place", exc_info=error)
        reason = f"explore: no model fits the results ({error})"
    else:
        reason = "explore: the model found nothing new"
    start, short = len(history) + len(ahead) + len(proposals), count - len(proposals)
    rest = next_points(spec, start, used, short, rng) if short else []
    task = full_task(spec).name if spec.tasks else None
    return proposals + [Proposal(values, task=task, why=reason) for values in rest]


def _proposal(
    spec: ExperimentSpec,
    models: Models,
    cube: Cube,
    known: np.ndarray,
    used: set[Key],
    turn: int,
    rng: np.random.Generator,
) -> Proposal | None:
    aim = goal(models, cube, spec, turn, rng)
    values = best_point(aim.acquisition, cube, known, used, models.pending, models.answered, aim.effort, rng)
    if values is None:
        return None
    point = cube.features(cube.encoded([values]))
    predicted = predictions(models, point)
    return Proposal(values, why=why(models, aim, point, predicted), predicted=predicted)


def _on_task(
    spec: ExperimentSpec,
    history: History,
    models: Models,
    cube: Cube,
    found: Proposal,
    ahead: Sequence[Proposal],
) -> Proposal:
    """The proposal on the task that tells most per cost; unchanged without tasks."""
    if not spec.tasks:
        return found
    planned = [Run(assignments=item.assignments, task=item.task) for item in ahead]
    if is_full_due(spec, History((*history.runs, *planned))):
        task = full_task(spec)
    else:
        point = cube.features(cube.encoded([dict(found.assignments)]))
        known = {
            run.task for run in history.runs if run.state.uses_budget and run.assignments == found.assignments
        }
        task = chosen_task(spec, (*models.objectives, *models.guardrails), point, known)
    return replace(found, task=task.name, why=f"{found.why}; on task {task.name} (cost {task.cost:g})")


def _features(spec: ExperimentSpec, cube: Cube, proposals: Sequence[Proposal]) -> np.ndarray:
    tasks = np.array([place_of(spec, item.task) for item in proposals])
    return cube.features(cube.encoded([dict(item.assignments) for item in proposals]), tasks)
