"""Many points of a space at once: the unit cube and the model's features, as arrays.

It does for ``b`` points what :class:`heliostat.space.Features` does for one; only whole numbers and grids go
through their parameters one by one. Letters: ``b`` points, ``d`` dimensions, ``k`` feature columns.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heliostat.space import Categorical, Double, Features, Int, Space, Value, sample_units

Array = NDArray[np.float64]


class Cube:
    """The unit cube of one space.

    Args:
        space: The space to work in.
        has_tasks: Whether a last feature column says on which task a row was measured.
    """

    def __init__(self, space: Space, *, has_tasks: bool = False) -> None:
        self.space = space
        self.columns = Features(space).columns
        self.has_tasks = has_tasks

    @property
    def k(self) -> int:
        """Number of feature columns."""
        return int(self.columns[-1].stop) + self.has_tasks

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """Dimension of each feature column, shape ``k``; the task is a dimension of its own."""
        widths = [columns.stop - columns.start for columns in self.columns]
        return np.repeat(np.arange(self.space.d + self.has_tasks), [*widths, *[1] * self.has_tasks])

    @cached_property
    def even(self) -> Space:
        """The space without priors."""
        if not self.has_priors:
            return self.space
        plain = [
            replace(item, prior=None) if isinstance(item, Double) else item for item in self.space.parameters
        ]
        result = replace(self.space, parameters=tuple(plain))
        if self.space.linear_constraints:
            vars(result)["anchor"] = self.space.anchor  # priors do not move it, and it costs milliseconds
        return result

    @property
    def has_priors(self) -> bool:
        """Whether a belief is declared."""
        return any(isinstance(item, Double) and item.prior is not None for item in self.space.dimensions)

    @cached_property
    def discrete(self) -> list[int]:
        """Dimensions with countable values."""
        return [index for index, item in enumerate(self.space.dimensions) if not is_continuous(item)]

    @cached_property
    def slidable(self) -> NDArray[np.bool_]:
        """Dimensions that gradient steps may move: doubles, and integers (rounded afterwards); ``d``."""
        return np.array(
            [not isinstance(item, Categorical) and item.grid is None for item in self.space.dimensions]
        )

    def alive(self, units: Array) -> NDArray[np.bool_]:
        """Which dimensions live at each point, shape ``b x d``."""
        result = np.ones(units.shape, dtype=bool)
        for column, item in enumerate(self.space.dimensions):
            for switch, wanted in item.conditions:
                place = self.space.index[switch]
                values = switch_values(self.space, switch)
                chosen = _bins(units[:, place], len(values))
                holds = np.isin(chosen, [values.index(value) for value in wanted])
                result[:, column] &= result[:, place] & holds
        return result

    def snapped(self, units: Array) -> Array:
        """The nearest legal places (bin centres, 0.5 where not alive), without regard to constraints."""
        result = np.clip(units, 0.0, 1.0)
        for column in self.discrete:
            item = self.space.dimensions[column]
            if isinstance(item, Categorical):
                result[:, column] = (_bins(result[:, column], item.size) + 0.5) / item.size
            else:
                result[:, column] = [item.to_unit(item.from_unit(float(unit))) for unit in result[:, column]]
        result[~self.alive(result)] = 0.5
        return result

    def features(self, units: Array, tasks: Array | None = None) -> Array:
        """The model's columns for places, shape ``b x k``.

        Args:
            units: Places, ``b x d``: snapped, or beyond the cube where runs lie outside it.
            tasks: Places of their tasks, ``b``; by default the full task, whose place is 0.
        """
        result = np.zeros((len(units), self.k))
        alive = self.alive(units)
        everyone = np.arange(len(units))
        for column, item in enumerate(self.space.dimensions):
            start = self.columns[column].start
            if isinstance(item, Categorical):
                result[everyone, start + _bins(units[:, column], item.size)] = alive[:, column]
            else:
                result[:, start] = np.where(alive[:, column], units[:, column], 0.5)
        if self.has_tasks and tasks is not None:
            result[:, -1] = tasks
        return result

    def is_inside(self, units: Array) -> NDArray[np.bool_]:
        """Whether the linear constraints hold at each place, shape ``b``."""
        if not self.space.linear_constraints:
            return np.ones(len(units), dtype=bool)
        free, meets = self.space.decode_freely, self.space.meets_constraints
        return np.array([meets(free(unit)) for unit in units], dtype=bool)

    def encoded(self, assignments: list[dict[str, Value]]) -> Array:
        """Places of `b` assignments, shape ``b x d``."""
        rows = [self.space.encode(values) for values in assignments]
        return np.array(rows).reshape(len(rows), self.space.d)


def switch_values(space: Space, name: str) -> tuple[str, ...]:
    """The values of a switch."""
    item = space.by_name[name]
    return item.values if isinstance(item, Categorical) else ()


def legal_units(cube: Cube, count: int, rng: np.random.Generator) -> Array:
    """`count` random legal places, ``count x d``, evenly over the space whatever is believed of it."""
    if cube.space.linear_constraints:
        return sample_units(cube.even, rng, count)
    return cube.snapped(rng.random((count, cube.space.d)))


def is_continuous(item: object) -> bool:
    """Whether a dimension has a continuum of values."""
    return isinstance(item, Double) and item.grid is None


def neighbours(item: object, unit: float) -> list[float]:
    """Units of the values next to the one at `unit`: all other categories, or one step up and down."""
    if isinstance(item, Categorical):
        centres = [(index + 0.5) / item.size for index in range(item.size)]
        return [centre for centre in centres if abs(centre - unit) > 0.25 / item.size]
    if isinstance(item, (Double, Int)) and item.grid is not None:
        size = len(item.grid)
        return [place for place in (unit - 1.0 / size, unit + 1.0 / size) if 0.0 < place < 1.0]
    if isinstance(item, Int):
        low, high = item.bounds
        value = item.from_unit(unit)
        return [item.to_unit(near) for near in (value - 1, value + 1) if low <= near <= high]
    return []


def _bins(units: Array, size: int) -> NDArray[np.intp]:
    return np.clip((units * size).astype(np.intp), 0, size - 1)
