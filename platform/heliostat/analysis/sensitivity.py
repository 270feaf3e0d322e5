"""How much of a model's variation each parameter explains: Sobol indices.

First order (a parameter alone) after Saltelli et al. 2010, *Variance based sensitivity analysis of model
output*; total (alone and with others) after Jansen 1999, *Analysis of variance designs for model output*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.ports import Surrogate
from heliostat.space import Categorical, Space, Value

Array = NDArray[np.float64]

POINTS = 256
"""Base points; each costs d + 2 evaluations. Indices are then good to about ±0.03."""

FLAT = 1e-9
"""A model whose standard deviation is below this share of its size does not vary: what is left is
rounding."""

MONOTONE = 0.3
"""Least rank correlation that is called a direction: a medium one in Cohen's terms (1988, *Statistical power
analysis for the behavioral sciences*); a hill or a valley in the middle of the range has less."""


@dataclass(frozen=True)
class Sensitivity:
    """What explains the variation of one metric's model over the whole space.

    Args:
        metric: Its name.
        own: Share of the variance that each parameter explains alone, in [0, 1]; empty for a flat model.
        total: Share that involves the parameter, alone or with others, in [0, 1].
        direction: +1 where the metric rises with the parameter, -1 where it falls, 0 neither (categories,
            hills and valleys).
    """

    metric: str
    own: Mapping[str, float]
    total: Mapping[str, float]
    direction: Mapping[str, int]


def sensitivities(space: Space, surrogate: Surrogate) -> list[Sensitivity]:
    """One per modelled metric. Linear constraints are not regarded: indices need independent parameters."""
    from scipy.stats import qmc  # takes 0.8 s, which nobody who only declares an experiment should pay

    # Evaluations grow with d; with a quarter of the points 80 parameters cost what 20 do.
    count = POINTS if space.d <= 20 else POINTS // 4
    draws = qmc.Sobol(2 * space.d, scramble=True, rng=np.random.default_rng(0)).random(count)
    first, second = draws[:, : space.d], draws[:, space.d :]
    mixed = [_with_column(first, second, place) for place in range(space.d)]
    points = [space.decode_freely(unit) for unit in np.vstack([first, second, *mixed])]
    expected = surrogate.at(points)
    return [
        _sensitivity(space, name, item.mean.reshape(space.d + 2, count), points[:count])
        for name, item in expected.items()
    ]


def ranked_parameters(found: Sequence[Sensitivity]) -> list[str]:
    """Parameters that any model varies with, the one with the largest total first."""
    names = dict.fromkeys(name for item in found for name in item.total)
    largest = {name: max(item.total.get(name, 0.0) for item in found) for name in names}
    return sorted(largest, key=lambda name: -largest[name])


def _with_column(base: Array, other: Array, place: int) -> Array:
    changed = base.copy()
    changed[:, place] = other[:, place]
    return changed


def _sensitivity(
    space: Space, metric: str, values: Array, points: Sequence[Mapping[str, Value]]
) -> Sensitivity:
    """Of the model at the base points, at others, and at the base with one column changed, ``d + 2 x n``."""
    size = float(np.abs(values).max()) or 1.0
    base, other, mixed = values[0] / size, values[1] / size, values[2:] / size
    spread = float(np.var(np.concatenate([base, other])))
    if not spread > FLAT**2:
        return Sensitivity(metric, {}, {}, {})
    names = [item.name for item in space.dimensions]
    own = np.clip(np.mean(other * (mixed - base), axis=1) / spread, 0.0, 1.0)
    total = np.clip(np.mean((base - mixed) ** 2, axis=1) / (2 * spread), 0.0, 1.0)
    return Sensitivity(
        metric,
        dict(zip(names, np.minimum(own, total).tolist(), strict=True)),
        dict(zip(names, total.tolist(), strict=True)),
        {
            item.name: _direction(item.name, isinstance(item, Categorical), points, base)
            for item in space.dimensions
        },
    )


def _direction(name: str, is_category: bool, points: Sequence[Mapping[str, Value]], values: Array) -> int:
    from scipy.stats import spearmanr

    known = [
        (values_of[name], value) for values_of, value in zip(points, values, strict=True) if name in values_of
    ]
    if is_category or len(known) < 8:
        return 0
    places = np.array([float(place) for place, _ in known])
    results = np.array([value for _, value in known])
    if np.ptp(places) == 0 or np.ptp(results) == 0:
        return 0
    correlation = float(spearmanr(places, results).statistic)
    return int(np.sign(correlation)) if abs(correlation) >= MONOTONE else 0
