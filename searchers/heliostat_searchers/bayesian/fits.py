"""Fits of bounded cost, remembered while their data stay the same."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heliostat_searchers.bayesian.fitting import fit
from heliostat_searchers.bayesian.gp import Data, Hyperparameters
from heliostat_searchers.bayesian.kernels import MATERN, RBF, Kernel

FIT_ROWS = 300
"""Rows that hyper-parameters are fitted to; a fit of 300 rows takes 0.2 s, of 1000 rows 5 s."""

COMPARED_ROWS = FIT_ROWS // 2
"""Rows by which alternatives are compared: they differ by more than the rows left out."""


def hyperparameters(
    data: Data,
    owners: NDArray[np.intp],
    kernels: tuple[Kernel, ...] = (MATERN, RBF),
    near: Hyperparameters | None = None,
) -> Hyperparameters:
    """The hyper-parameters of the rows, fitted to a part of them where they are many.

    Args:
        data: The rows.
        owners: Dimension of each feature column, ``k``.
        kernels: Families to choose among.
        near: Where to start, for a few steps on half as many rows: to compare alternatives.
    """
    most = FIT_ROWS if near is None else COMPARED_ROWS
    if data.n > most:
        data = data.part(rows_for(data.values, most))
    return fit(data, owners, kernels, near=near) if near else _cached_fit(Question(data, owners, kernels))


def rows_for(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """At most `count` rows that a fit looks at: the best, a third of them, and an even spread of the rest."""
    if len(values) <= count:
        return np.arange(len(values))
    best = np.argsort(-values, kind="stable")[: count // 3]
    rest = np.setdiff1d(np.arange(len(values)), best)
    return np.sort(np.concatenate([best, spread_over(rest, count - len(best))]))


def spread_over(indices: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of the indices, evenly over their order."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).astype(np.intp)]


class Question:
    """What a fit depends on, comparable by content.

    Args:
        data: The rows.
        owners: Dimension of each feature column.
        kernels: Families to choose among.
    """

    def __init__(
        self, data: Data, owners: NDArray[np.intp], kernels: tuple[Kernel, ...] = (MATERN, RBF)
    ) -> None:
        self.data = data
        self.owners = owners
        self.kernels = kernels
        parts = (data.points, data.values, data.noise, data.basis, owners)
        families = tuple((kernel.name, kernel.floor) for kernel in kernels)
        self._same = (families, b"|".join(part.tobytes() for part in parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Question) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)


@lru_cache(maxsize=32)  # a dozen metrics of a few experiments that share the process
def _cached_fit(question: Question) -> Hyperparameters:
    return fit(question.data, question.owners, question.kernels)
