"""From beliefs to the acquisition function of one proposal: which terms a declared experiment needs.

One objective: log expected improvement, under noise augmented. Several: log hypervolume improvement, beyond
:data:`.pareto.HYPERVOLUME_OBJECTIVES` of a random scalarisation. Several solutions: improvement on one of
them in turn, away from the others. None, only limits: coverage of the region that meets them. In all of them
guardrails, the chance of success and the user's priors are further summands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import separation
from heliostat.experiment import ExperimentSpec
from heliostat_searchers.bayesian.acquisition import (
    Acquisition,
    LogAnswer,
    LogExpectedImprovement,
    LogProbability,
    Term,
)
from heliostat_searchers.bayesian.cube import Cube, legal_units
from heliostat_searchers.bayesian.gp import GP
from heliostat_searchers.bayesian.models import NOISY, Models, scalarised
from heliostat_searchers.bayesian.optimizer import FRUGAL, THOROUGH, Effort
from heliostat_searchers.bayesian.pareto import (
    HYPERVOLUME_OBJECTIVES,
    LogHypervolumeImprovement,
    is_efficient,
    reference_point,
)
from heliostat_searchers.bayesian.places import Apart, LogCoverage, Place, log_prior
from heliostat_searchers.bayesian.rows import Rows

Array = NDArray[np.float64]

ANCHORS = 5
"""Best known points whose surroundings are searched: 128 copies are 25 of each, and more points would thin
them out."""

BETWEEN = np.array([0.25, 0.5, 0.75])
"""Places on the way from one point to another where a valley is looked for: a smooth one as wide as a length
scale shows at one of the quarters."""

PROMISING = 0.8
"""Quantile of the known values that a solution still missing has to beat (SigOpt's)."""

LEAP = 0.5
"""Standardised improvement that every other proposal asks for while several places share the best value: on a
plateau (trees, tables, rounded metrics) the model expects ripples that are not there, and never leaves them.
50 to 60 runs, 8 seeds, median regrets without and with it: a forest's surrogate 0.025 → 0.018, a table of
boosting runs 0.0063 → 0.0040; 0.25 and 1 did not differ beyond the spread between seeds."""

BALL = 48
"""Offsets that stand for a ball in coverage: its share is known to ±7 %, and the ranking needs no more."""

GAP_SAMPLES = 512
"""Random points by which the largest gap is judged: some five lie in each hundredth of the space."""

PLAUSIBLE = 0.05
"""Chance of meeting all limits from which a place counts as perhaps satisfactory: well below even, so that
unknown places do, as long as nothing there was seen to miss them."""

FEWEST_PLAUSIBLE = 16
"""Points that count where the chance is low everywhere: the best 3 % of the sample."""

RADII = (0.01, 0.5)
"""Smallest and largest ball: the former is a point of a grid of 100, the latter half the cube."""


@dataclass(frozen=True, eq=False)
class Goal:
    """What one proposal is chosen for.

    Args:
        acquisition: The function to maximise.
        effort: How hard to search for its maximum.
        aim: ``improve``, ``feasibility`` (no feasible point is known), ``coverage``, ``solution``, or
            ``plateau`` (several places share the best value).
    """

    acquisition: Acquisition
    effort: Effort
    aim: str = "improve"


def goal(models: Models, cube: Cube, spec: ExperimentSpec, turn: int, rng: np.random.Generator) -> Goal:
    """The goal of the next proposal under these beliefs.

    Args:
        models: Beliefs, with at least one model.
        cube: Where they hold.
        spec: What was declared.
        turn: Number of the proposal; several solutions take turns.
        rng: Draws the weights of a scalarisation, and the samples of a region.
    """
    prior = log_prior(cube, models.ended)
    places: tuple[Place, ...] = () if prior is None else (prior,)
    if not models.objectives:
        coverage = _coverage(models, cube, rng)
        return Goal(Acquisition(models.everyone, _safety(models, 0), (*places, coverage)), FRUGAL, "coverage")
    m = len(models.objectives)
    if not len(models.baseline):
        safe = Acquisition(models.everyone[m:], _safety(models, 0), places)
        return Goal(safe, THOROUGH, "feasibility")
    if m > HYPERVOLUME_OBJECTIVES:
        models = scalarised(models, rng.dirichlet(np.ones(m)), cube.owners)
        m = 1
    known = np.column_stack([model.mean(models.baseline) for model in models.objectives])
    if spec.num_solutions > 1:
        best, apart = _solution(models, known[:, 0], spec, turn)
        terms = (*_improvement(models, best), *_safety(models, m))
        return Goal(Acquisition(models.everyone, terms, (*places, *apart)), THOROUGH, "solution")
    is_flat = bool(models.ties and turn % 2)
    best = float(known.max()) + LEAP * is_flat
    base = _improvement(models, best) if m == 1 else (_hypervolume(models, known),)
    aim = "plateau" if is_flat else "improve"
    return Goal(Acquisition(models.everyone, (*base, *_safety(models, m)), places), THOROUGH, aim)


def anchors(rows: Rows, m: int, models: Models, cube: Cube) -> Array:
    """Places of the best known rows, best first, ``r x d``.

    Of rows inside the space, if there are any. Best is: feasible and of the largest value, or on the front of
    `m` objectives; while nothing is feasible, closest to the limits. Without objectives the latest feasible
    rows: there the region is not covered yet. With tasks by what is believed of full runs there, since their
    values are not on one scale.
    """
    values = np.column_stack([column.values for column in rows.columns])
    if cube.has_tasks:
        points = cube.features(rows.units)
        values = np.column_stack([model.mean(points) for model in (*models.objectives, *models.guardrails)])
    inside = rows.is_inside if rows.is_inside.any() else np.ones(rows.n, dtype=bool)
    feasible = np.flatnonzero(rows.is_feasible & inside)
    if not len(feasible):
        limits = np.array([-np.inf if column.limit is None else column.limit for column in rows.columns])
        missed = np.where(inside, np.maximum(limits - values, 0.0).sum(axis=1), np.inf)
        order = np.lexsort((-values[:, 0], missed))[: inside.sum()]
    elif m == 0:
        order = feasible[::-1]
    elif m == 1:
        order = feasible[np.argsort(-values[feasible, 0], kind="stable")]
    else:
        order = feasible[is_efficient(values[feasible, :m])]
        order = order[np.linspace(0, len(order) - 1, min(ANCHORS, len(order))).astype(np.intp)]
    return np.asarray(rows.units[order[:ANCHORS]])


def distinct(model: GP, points: Array, values: Array, count: int, radius: float) -> NDArray[np.intp]:
    """Rows of up to `count` best points on hills of their own that keep `radius` apart, best first.

    Two points are on one hill where the model expects no valley between them (Ursem 1999, *Multinational
    evolutionary algorithms*): without this the flank of the first solution would count as the second.
    """
    chosen: list[int] = []
    for place in np.argsort(-values, kind="stable"):
        away = np.linalg.norm(points[chosen] - points[place], axis=1)
        is_apart = not len(away) or away.min() >= radius
        if is_apart and not any(
            _is_one_hill(model, points[[other, place]], values[place]) for other in chosen
        ):
            chosen.append(int(place))
        if len(chosen) == count:
            break
    return np.array(chosen, dtype=np.intp)


def _is_one_hill(model: GP, ends: Array, lower: float) -> bool:
    between = ends[0] + BETWEEN[:, None] * (ends[1] - ends[0])
    return bool(model.mean(between).min() >= lower)


def _solution(models: Models, values: Array, spec: ExperimentSpec, turn: int) -> tuple[float, list[Apart]]:
    """What to beat, and where not to be, when one of several solutions has its turn.

    One that is still missing is looked for away from all that is known to be good. One that is known is
    improved away from the others and from what beats it on their hills: beyond the radius around a far better
    solution its flank would look like the largest improvement of all.
    """
    model, points, radius = models.objectives[0], models.baseline, separation(spec.space.d)
    found = distinct(model, points, values, spec.num_solutions, radius)
    mine = turn % spec.num_solutions
    if mine < len(found):
        best, others = float(values[found[mine]]), np.delete(found, mine)
        rivals = np.flatnonzero(values > best)
        others = np.union1d(others, rivals[_hills(model, points, values, rivals, found) != mine])
    else:
        best = float(np.quantile(values, PROMISING))
        others = np.flatnonzero(values >= best)
    return best, [Apart(points[others], radius)] if len(others) else []


def _hills(
    model: GP, points: Array, values: Array, places: NDArray[np.intp], found: NDArray[np.intp]
) -> NDArray[np.intp]:
    """For each place the rank of the best solution on whose hill it stands; ``len(found)``: on none."""
    ends, peaks = points[places][:, None, None], points[found][None, :, None]
    between = peaks + BETWEEN[:, None] * (ends - peaks)
    means = model.mean(between.reshape(-1, points.shape[1])).reshape(len(places), len(found), len(BETWEEN))
    lower = np.minimum(values[places][:, None], values[found])
    is_hill = (means.min(axis=2) >= lower) | (places[:, None] == found)
    return np.where(is_hill.any(axis=1), is_hill.argmax(axis=1), len(found))


def _coverage(models: Models, cube: Cube, rng: np.random.Generator) -> LogCoverage:
    """Coverage by balls as large as the largest gap in what may be satisfactory: coarse first, then fine.

    With balls of one small size a search would tile the first satisfactory spot before it looked for others.
    """
    points = cube.features(legal_units(cube, GAP_SAMPLES, rng))
    chance = Acquisition(models.everyone, _safety(models, 0)).values(points)
    plausible = points[chance >= np.log(PLAUSIBLE)]
    if not len(plausible):
        plausible = points[np.argsort(-chance)[:FEWEST_PLAUSIBLE]]
    known = models.baseline
    gaps = np.linalg.norm(plausible[:, None] - known[None], axis=2).min(axis=1) if len(known) else np.ones(1)
    radius = float(np.clip(gaps.max(), *RADII))
    return LogCoverage(known, _ball(cube, radius, rng), radius)


def _ball(cube: Cube, radius: float, rng: np.random.Generator) -> Array:
    """Offsets that fill a ball in the dimensions that can move, ``BALL x k``."""
    columns = np.array([place.start for place in cube.columns])[cube.slidable]
    offsets = np.zeros((BALL, cube.k))
    directions = rng.standard_normal((BALL, len(columns)))
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    offsets[:, columns] = radius * rng.random((BALL, 1)) ** (1 / max(len(columns), 1)) * directions
    return offsets


def _improvement(models: Models, best: float) -> tuple[Term, ...]:
    """Improvement on `best` of one objective, as far as noise lets an answer tell of it."""
    noise, improvement = models.noise, LogExpectedImprovement(best)
    return (improvement, LogAnswer(noise)) if noise >= NOISY else (improvement,)


def _hypervolume(models: Models, known: Array) -> LogHypervolumeImprovement:
    limits = [column.limit for column in models.columns[: known.shape[1]]]
    return LogHypervolumeImprovement(known, reference_point(known, limits))


def _safety(models: Models, first: int) -> tuple[Term, ...]:
    """The terms of guardrails and success; `first` is the column of the first guardrail."""
    terms = [LogProbability(limit, first + place) for place, limit in enumerate(models.limits)]
    if models.success is not None:
        terms.append(LogProbability(models.safe, first + len(models.limits)))
    return tuple(terms)
