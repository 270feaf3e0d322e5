"""The first points of an experiment that others came before: where their runs say the best place is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.space import Value, sample_units
from heliostat.trial import History
from heliostat_searchers.bayesian.acquisition import Acquisition
from heliostat_searchers.bayesian.climb import climbed
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.outside import Places
from heliostat_searchers.bayesian.sources import trends
from heliostat_searchers.bayesian.trend import Trend
from heliostat_searchers.novelty import Key, key

Array = NDArray[np.float64]

DRAWS = 2048
"""Random legal points that are ranked: in two dimensions the best of them is within a few percent of a smooth
optimum; in six it is not, hence the climb."""

CLIMBS, STEPS = 4, 50
"""Of the best draws, those that climb, and their most steps, as in the search for other maxima. A family of
Hartmann6 (20 seeds), median regrets after the first run 1.65 → 1.2, the fifth 1.23 → 1.05; 16 climbs do no
better."""

APART = 0.15
"""Least distance between first points over √d, half as far again as solutions that count as different: the
second is no copy of the first."""


def first_points(
    spec: ExperimentSpec, history: History, used: set[Key], count: int, rng: np.random.Generator
) -> list[dict[str, Value]]:
    """Up to `count` new points in the order of what the sources expect of them.

    Metrics are standardised, so their mean over the objectives ranks.
    """
    cube, space = Cube(spec.space, has_tasks=bool(spec.tasks)), Places(spec.space)
    known = trends(spec, cube, history.sources)
    wanted = [metric.name for metric in spec.metrics.objectives if metric.name in known]
    if not wanted:
        return []
    drawn = sample_units(spec.space, rng, DRAWS)
    expected = _expected([known[name] for name in wanted])
    best = drawn[np.argsort(-_worth(expected, cube.features(drawn)), kind="stable")[:CLIMBS]]
    climbers = cube.snapped(climbed(expected, cube, best, STEPS))
    units = np.vstack([climbers[cube.is_inside(climbers)], drawn])
    points = cube.features(units)
    worth = _worth(expected, points)
    places = [place for run in history.runs if (place := space.of(run.assignments)) is not None]
    taken = [cube.features(place.unit[None])[0] for place in places]
    found: list[dict[str, Value]] = []
    for place in np.argsort(-worth, kind="stable"):
        values = spec.space.decode(units[place])
        if key(values) in used or _is_near(points[place], taken, spec.space.d):
            continue
        found.append(values)
        taken.append(points[place])
        if len(found) == count:
            break
    return found


@dataclass(frozen=True, eq=False)
class _WeightedMean:
    """``Σⱼ wⱼ μⱼ``; a :class:`.acquisition.Term`."""

    weights: Array

    def __call__(self, mean: Array, stddev: Array) -> tuple[Array, Array, Array]:
        return mean @ self.weights, np.broadcast_to(self.weights, mean.shape), np.zeros_like(stddev)


def _expected(wanted: list[Trend]) -> Acquisition:
    models = tuple(model for trend in wanted for model in trend.models)
    weights = np.concatenate([np.full(len(trend.models), trend.weight) for trend in wanted])
    return Acquisition(models, (_WeightedMean(weights / len(wanted)),))


def _worth(expected: Acquisition, points: Array) -> Array:
    """What is expected, without the variances, which nobody asks for and which cost n times as much."""
    means = np.column_stack([model.mean(points) for model in expected.models])
    return expected.terms[0](means, np.zeros_like(means))[0]


def interleaved(
    likely: list[dict[str, Value]], spread: list[dict[str, Value]], count: int, turn: int
) -> list[tuple[dict[str, Value], bool]]:
    """Two of the likely points, then one of the design, and so on: a source may be wrong.

    Returns:
        Points, and whether a source proposed them.
    """
    mixed = []
    first, second = iter(likely), iter(spread)
    for place in range(turn, turn + count):
        sides = [(second, False), (first, True)] if place % 3 == 2 else [(first, True), (second, False)]
        for side, is_told in sides:
            point = next(side, None)
            if point is not None:
                mixed.append((point, is_told))
                break
    return mixed


def _is_near(point: Array, taken: list[Array], d: int) -> bool:
    radius = APART * np.sqrt(d)
    return any(float(np.linalg.norm(point - other)) < radius for other in taken)
