"""Places of runs that need not lie in the space: bounds and grids move, and users add points of their own.

Such a run is learned from where it was measured. Were it moved to the edge, a model would believe there what
was seen elsewhere, and a search would return there for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.space import Categorical, Int, Parameter, Space, Value

Array = NDArray[np.float64]

FAR = 1.0
"""How far outside the bounds (in their width) a run may lie to be learned from: stationary kernels see little
of what is a whole width away, and a length scale that spans it would blur the inside."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Where a run lies.

    Args:
        unit: In the unit cube or beyond it, 0.5 in dimensions that do not live, ``d``.
        is_inside: Whether the point could be proposed.
    """

    unit: Array
    is_inside: bool


class Places:
    """Where the runs of one space lie.

    Args:
        space: The space as it is now.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        numbers = [item for item in space.dimensions if not isinstance(item, Categorical)]
        self._grids = [(item.name, frozenset(item.grid)) for item in numbers if item.grid is not None]
        self._bounds = [(item.name, *item.bounds) for item in numbers if item.grid is None]

    def of(self, values: Mapping[str, Value]) -> Placed | None:
        """Where assignments lie; None if they are of another space or too far outside this one."""
        try:
            if self._are_within(values):
                return Placed(self._space.encode(values), _keeps_constraints(self._space, values))
            return self._beyond(values)
        except (KeyError, TypeError, ValueError):  # a name, a category or a type that the space does not have
            return None

    def _are_within(self, values: Mapping[str, Value]) -> bool:
        """Whether all numbers are legal; nearly all runs are, and this is the quick way to tell."""
        for name, low, high in self._bounds:
            if name in values and not low <= values[name] <= high:
                return False
        return all(values[name] in grid for name, grid in self._grids if name in values)

    def _beyond(self, values: Mapping[str, Value]) -> Placed | None:
        unit = np.full(self._space.d, 0.5)
        for name, value in values.items():
            place = place_of(self._space.by_name[name], value)
            if place is None or not -FAR <= place <= 1.0 + FAR:
                return None
            unit[self._space.index[name]] = place
        return Placed(unit, is_inside=False)


def place_of(item: Parameter, value: Value) -> float | None:
    """The place of one value, beyond 0 or 1 outside the bounds; None for what the dimension cannot hold.

    Between the values of a grid it lies between their places.
    """
    if isinstance(item, Categorical):
        return item.to_unit(value) if value in item.values else None
    if isinstance(value, str) or not math.isfinite(value):
        return None
    low, high = item.bounds
    if item.grid is not None and low <= value <= high:
        return float(np.interp(value, item.grid, [item.to_unit(one) for one in item.grid]))
    if item.grid is not None:
        return None
    if low <= value <= high:
        return item.to_unit(value)
    half = 0.5 if isinstance(item, Int) else 0.0  # an integer owns the half steps around it
    low, high = low - half, high + half
    if item.log:
        return math.log(value / low) / math.log(high / low) if value > 0 else None
    return (value - low) / (high - low)


def _keeps_constraints(space: Space, values: Mapping[str, Value]) -> bool:
    """A run that has no value for a parameter, since it was declared later, breaks no constraint on it."""
    known = [line for line in space.linear_constraints if all(name in values for name, _ in line.terms)]
    return all(line.holds(values) for line in known)
