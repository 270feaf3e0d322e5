"""Random legal assignments, uniform over the space (bent by priors)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliostat.space import polytope
from heliostat.space.parameters import Value
from heliostat.space.space import Space

REJECTION_TRIES = 40
"""Draws per wanted point before Gibbs sampling takes over: feasible regions above a few percent never do."""


def sample(space: Space, rng: np.random.Generator, count: int) -> list[dict[str, Value]]:
    """`count` legal assignments, independent and uniform where rejection finds them."""
    if not space.linear_constraints:
        return [space.draw(unit) for unit in rng.random((count, space.d))]
    found: list[dict[str, Value]] = []
    for unit in rng.random((REJECTION_TRIES * count, space.d)):
        if len(found) == count:
            break
        values = space.draw(unit)
        if space.meets_constraints(values):
            found.append(values)
    return found + _inside(space, rng, count - len(found))


def sample_units(space: Space, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """As :func:`sample`, encoded: shape ``count x d``."""
    return np.array([space.encode(values) for values in sample(space, rng, count)]).reshape(count, space.d)


def _inside(space: Space, rng: np.random.Generator, count: int) -> list[dict[str, Value]]:
    if count <= 0:
        return []
    result = []
    for point, unit in zip(polytope.sample(space, rng, count), rng.random((count, space.d)), strict=True):
        free = space.draw(unit)
        legal = {name: space.by_name[name].check(value, name) for name, value in point.items()}
        result.append({**free, **legal})
    return result
