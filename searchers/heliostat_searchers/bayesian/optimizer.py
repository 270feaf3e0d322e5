"""Where the acquisition function is largest, among legal points that were not tried.

Random legal points and perturbed copies of the best known ones are ranked; the best few climb along their
living numeric columns (L-BFGS-B, or SLSQP inside linear constraints), are rounded, and then walk over
neighbouring integers, grid points and categories. Small finite spaces are simply enumerated.
Letters: ``b`` points, ``d`` dimensions, ``k`` feature columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from heliostat.space import Value, sample_units
from heliostat_searchers.bayesian.acquisition import Acquisition
from heliostat_searchers.bayesian.climb import climbed
from heliostat_searchers.bayesian.cube import Cube, legal_units, neighbours
from heliostat_searchers.novelty import Key, key, size_bound, untried

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """How hard to search.

    Args:
        raw: Random legal points.
        near: Perturbed copies of the best known points.
        starts: Points that climb.
        steps: Most steps of a climb.
    """

    raw: int = 512
    near: int = 128
    starts: int = 4
    steps: int = 50


THOROUGH = Effort()
"""For acquisition functions in closed form. Half of BoTorch's 1,024 random points and a fifth of its 20
starts: the copies of known good points, which it lacks, are where the maximum mostly is, and beyond 50 steps
a climb only polishes digits that the model does not have."""

FRUGAL = Effort(raw=256, near=128, starts=4, steps=30)
"""For coverage, whose balls cost ten times as much a point: half the random points, and shorter climbs, since
a share of uncovered ball is no finer than its offsets."""

ENUMERATED = 1024
"""Finite spaces up to this size are ranked completely: twice the random points of a search."""

STEP = 0.08
"""Standard deviation of a perturbation in the unit cube: a fraction of the length scales that are mostly
fitted (0.2 to 1), so that a copy stays on its hill; the climb does the rest."""

SWEEPS = 8
"""Most moves of the walk over discrete neighbours; it nearly always stands still after 3."""

TWIN = 1e-3
"""Distance in the unit cube below which a point asks again what an open run is about to answer. A model that
is nearly sure still expects a gain there, of a millionth, and would let several workers refine one place."""

SAME = 1e-12
"""Distance between the places of two integers or grid points that are one: rounding."""

REPEAT = 1e-6
"""The same, along each dimension, below which a point asks again what has been answered without noise: it
differs by the rounding of a climb, mostly one that ends at a constraint."""


def best_point(
    acquisition: Acquisition,
    cube: Cube,
    known: Array,
    used: set[Key],
    pending: Array,
    answered: Array,
    effort: Effort,
    rng: np.random.Generator,
) -> dict[str, Value] | None:
    """The most valuable new assignments; None if none was found.

    They keep :data:`TWIN` from open runs and :data:`REPEAT` from answered ones, but for spaces that are
    enumerated or too full of them.

    Args:
        acquisition: What to maximise.
        cube: Where.
        known: Places of the best known points, best first, ``r x d``.
        used: Keys to avoid.
        pending: Features of open runs, ``p x k``.
        answered: Features of runs that need no repetition, ``a x k``.
        effort: How hard to search.
        rng: Source of the random points.
    """
    if size_bound(cube.space) <= ENUMERATED:
        return _best_of_all(acquisition, cube, used)
    raw = _candidates(cube, known, effort, rng)
    values = acquisition.values(cube.features(raw))
    order = np.argsort(-values, kind="stable")
    starts = raw[order[: effort.starts]]
    improved = cube.snapped(climbed(acquisition, cube, starts, effort.steps))
    polished = [_walked(acquisition, cube, unit) for unit in improved]
    finalists = [cube.space.decode(unit) for unit in polished]
    ranked = acquisition.values(cube.features(cube.encoded(finalists)))
    best = (finalists[place] for place in np.argsort(-ranked, kind="stable"))
    others = (cube.space.decode(raw[place]) for place in order)
    return _first_apart(cube, chain(best, others), used, pending, answered)


def _first_apart(
    cube: Cube, ranked: Iterable[dict[str, Value]], used: set[Key], pending: Array, answered: Array
) -> dict[str, Value] | None:
    """The first new assignments that keep these distances from known points; the first new ones else."""
    twin = None
    for values in ranked:
        if key(values) not in used:
            if not (_is_twin(cube, values, pending) or _is_repeat(cube, values, answered)):
                return values
            twin = twin or values
    return twin


def _is_twin(cube: Cube, values: dict[str, Value], pending: Array) -> bool:
    """Whether an open run, on any task, lies within :data:`TWIN`."""
    away = pending - cube.features(cube.encoded([values]))
    away = away[:, : away.shape[1] - cube.has_tasks]
    return bool(np.any(np.linalg.norm(away, axis=1) < TWIN))


def _is_repeat(cube: Cube, values: dict[str, Value], answered: Array) -> bool:
    """Whether a known point with the same choices and integers lies within :data:`REPEAT`."""
    away = np.abs(answered - cube.features(cube.encoded([values])))
    is_countable = np.isin(cube.owners, cube.discrete)
    limit = np.where(is_countable, SAME, REPEAT)
    return bool(np.any(np.all(away < limit, axis=1)))


def _best_of_all(acquisition: Acquisition, cube: Cube, used: set[Key]) -> dict[str, Value] | None:
    rest = list(untried(cube.space, used))
    if not rest:
        return None
    return rest[int(np.argmax(acquisition.values(cube.features(cube.encoded(rest)))))]


def _candidates(cube: Cube, known: Array, effort: Effort, rng: np.random.Generator) -> Array:
    spread = legal_units(cube, effort.raw, rng)
    if cube.has_priors:  # half of them where the user believes
        spread[::2] = sample_units(cube.space, rng, len(spread[::2]))
    near = cube.snapped(_perturbed(known, effort.near, rng, cube)) if len(known) else known
    return np.vstack([spread, near[cube.is_inside(near)]])


def _perturbed(known: Array, count: int, rng: np.random.Generator, cube: Cube) -> Array:
    """Copies of known points with about two changed dimensions each; discrete ones are drawn anew.

    Two, as in a mutation that keeps most of what is good about a point; one alone would miss the valleys that
    run across the axes.
    """
    d = cube.space.d
    base = known[np.arange(count) % len(known)]
    changed = rng.random((count, d)) < min(1.0, 2.0 / d)
    changed[np.arange(count), rng.integers(d, size=count)] = True
    moved = base + STEP * rng.standard_normal((count, d))
    drawn = rng.random((count, d))
    return np.where(changed, np.where(cube.slidable, moved, drawn), base)


def _walked(acquisition: Acquisition, cube: Cube, unit: Array) -> Array:
    """The end of a steepest walk over the discrete neighbours of a place, shape ``d``."""
    best = float("-inf")
    for _ in range(SWEEPS):
        around = _around(cube, unit)
        if len(around) == 1:
            return unit
        values = acquisition.values(cube.features(around))
        top = int(np.argmax(values))
        if values[top] <= best or top == 0:
            return unit
        unit, best = around[top], float(values[top])
    return unit


def _around(cube: Cube, unit: Array) -> Array:
    """A place and its discrete neighbours that meet the constraints, ``b x d``; the place comes first."""
    alive = cube.alive(unit[None])[0]
    moves = []
    for column in cube.discrete:
        if alive[column]:
            for place in neighbours(cube.space.dimensions[column], float(unit[column])):
                moves.append(np.where(np.arange(cube.space.d) == column, place, unit))
    if not moves:
        return unit[None]
    moved = cube.snapped(np.array(moves))
    return np.vstack([unit, moved[cube.is_inside(moved)]])
