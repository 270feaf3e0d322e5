"""The columns that models see: numbers from the unit cube, categories one-hot.

A dimension that is not alive sits at the centre (numbers) or has no mark (categories); the one-hot columns of
its switch tell the model why, so no separate activity column is needed.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heliostat.space.parameters import Categorical, Value
from heliostat.space.space import Space


class Features:
    """The feature layout of a space: `k` columns for its `d` dimensions.

    Args:
        space: The space to lay out.
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    @cached_property
    def columns(self) -> list[slice]:
        """The feature columns of each dimension."""
        start, result = 0, []
        for item in self.space.dimensions:
            width = item.size if isinstance(item, Categorical) else 1
            result.append(slice(start, start + width))
            start += width
        return result

    @property
    def k(self) -> int:
        """Number of feature columns."""
        return int(self.columns[-1].stop)

    def row(self, values: dict[str, Value]) -> NDArray[np.float64]:
        """Features of one assignment, shape ``k``."""
        result = np.zeros(self.k)
        for item, columns in zip(self.space.dimensions, self.columns, strict=True):
            value = values.get(item.name)
            if isinstance(item, Categorical):
                if value is not None:
                    result[columns.start + item.values.index(str(value))] = 1.0
            else:
                result[columns.start] = 0.5 if value is None else item.to_unit(value)
        return result

    def rows(self, assignments: list[dict[str, Value]]) -> NDArray[np.float64]:
        """Features of `n` assignments, shape ``n x k``."""
        return np.array([self.row(values) for values in assignments]).reshape(len(assignments), self.k)

    def numeric(self, values: dict[str, Value]) -> list[tuple[int, int]]:
        """``(dimension, feature column)`` of each living numeric dimension under these values."""
        return [
            (index, self.columns[index].start)
            for index, item in enumerate(self.space.dimensions)
            if item.name in values and not isinstance(item, Categorical)
        ]
