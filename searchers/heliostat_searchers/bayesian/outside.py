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

from heliostat.space import Categorical, Double, Int, Parameter, Space, Value

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
                return Placed(self._space.encode(values), self._space.meets_constraints(values))
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
            place = unit_of(self._space.by_name[name], value)
            if place is None or not -FAR <= place <= 1.0 + FAR:
                return None
            unit[self._space.index[name]] = place
        return Placed(unit, is_inside=False)


def unit_of(item: Parameter, value: Value) -> float | None:
    """The place of one value, beyond 0 or 1 outside the bounds; None for what the dimension cannot hold.

    Between the values of a grid it lies between their places, and beyond them as far in steps as it lies in
    the grid's last steps.
    """
    if isinstance(item, Categorical):
        return item.to_unit(value) if value in item.values else None
    if isinstance(value, str) or not math.isfinite(value) or (item.log and value <= 0):
        return None
    low, high = item.bounds
    if item.grid is not None:
        return _on_grid(item, float(value))
    if low <= value <= high:
        return item.to_unit(value)
    half = 0.5 if isinstance(item, Int) else 0.0  # an integer owns the half steps around it
    low, high = low - half, high + half
    return _share(float(value), low, high, item.log)


def _on_grid(item: Double | Int, value: float) -> float:
    grid = item.grid or ()
    places = [item.to_unit(one) for one in grid]
    if grid[0] <= value <= grid[-1]:
        return float(np.interp(value, grid, places))
    near, end = (0, 1) if value < grid[0] else (-2, -1)
    steps = _share(value, grid[near], grid[end], item.log)
    return places[near] + steps * (places[end] - places[near])


def _share(value: float, low: float, high: float, log: bool) -> float:
    """How far a value lies from `low` to `high`: 0 and 1 at them, on a log scale if wanted."""
    if log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)
