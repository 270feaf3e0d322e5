"""The first points of an experiment that others came before: where their runs say the best place is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.space import Value, sample_units
from heliostat.trial import History
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.sources import trends
from heliostat_searchers.novelty import Key, key

Array = NDArray[np.float64]

DRAWS = 2048
"""Random legal points that are ranked: the best of them is within a few percent of a smooth optimum."""

APART = 0.15
"""Least distance between first points over √d: the second is no copy of the first."""


def first_points(
    spec: ExperimentSpec, history: History, used: set[Key], count: int, rng: np.random.Generator
) -> list[dict[str, Value]]:
    """Up to `count` new points in the order of what the sources expect of them.

    Metrics are standardised, so their mean over the objectives ranks.
    """
    cube = Cube(spec.space, has_tasks=bool(spec.tasks))
    known = trends(spec, cube, history.sources)
    wanted = [metric.name for metric in spec.metrics.objectives if metric.name in known]
    if not wanted:
        return []
    units = sample_units(spec.space, rng, DRAWS)
    points = cube.features(units)
    worth = np.mean([known[name].at(points).mean(axis=1) for name in wanted], axis=0)
    taken = [cube.features(cube.encoded([dict(run.assignments)]))[0] for run in history.runs]
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
