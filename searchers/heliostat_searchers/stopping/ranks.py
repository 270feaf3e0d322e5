"""Ranks of several objectives under guardrails: constrained non-dominated sorting.

Fronts are peeled off one after another; within a front the point that lies farthest from those already taken
comes next, so that a cut through a front keeps its whole width (the epsilon-net order of Schmucker et al.
2021, arXiv:2106.12639, §3). Whoever violates a guardrail comes after all who violate none, by how much (Deb
et al. 2002, *A fast and elitist multiobjective genetic algorithm: NSGA-II*, §VI).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import non_dominated

Array = NDArray[np.float64]


def ranked(gains: Array, violations: Array) -> NDArray[np.int64]:
    """Indices of all points, the best first.

    Args:
        gains: More is better, ``n x m``; NaN counts as worst.
        violations: By how much each guardrail is missed, ``n x g``, 0 where it is met; NaN counts as worst.
    """
    n = len(gains)
    gains = _without_nan(gains)
    total = _total(violations) if violations.shape[1] else np.zeros(n)
    met = np.flatnonzero(total == 0.0)
    missed = np.flatnonzero(total > 0.0)
    order = [met[place] for place in _fronts(gains[met])]
    order += missed[np.lexsort((missed, total[missed]))].tolist()
    return np.array(order, dtype=np.int64)


def _without_nan(gains: Array) -> Array:
    worst = np.where(np.isfinite(gains), gains, np.inf).min(axis=0, initial=0.0)
    return np.where(np.isfinite(gains), gains, worst - 1.0)


def _total(violations: Array) -> Array:
    """Sum over guardrails, each in units of its usual violation; infinite where one is not known."""
    missed = np.where(violations > 0.0, violations, np.nan)
    units = np.array([np.nanmedian(column) if (column > 0).any() else 1.0 for column in missed.T])
    return np.asarray(np.where(np.isnan(violations), np.inf, violations / units).sum(axis=1))


def _fronts(gains: Array) -> list[int]:
    order: list[int] = []
    left = np.arange(len(gains))
    while len(left):
        is_front = non_dominated(gains[left])
        order += _spread(gains, left[is_front])
        left = left[~is_front]
    return order


def _spread(gains: Array, front: NDArray[np.int64]) -> list[int]:
    """A front from the best of its first objective on, each next one the farthest from all before it."""
    points = gains[front]
    span = np.ptp(points, axis=0)
    points = points / np.where(span > 0, span, 1.0)
    first = int(np.argmax(points[:, 0]))
    order, far = [first], np.linalg.norm(points - points[first], axis=1)
    while len(order) < len(front):
        far[order] = -1.0
        following = int(np.argmax(far))
        order.append(following)
        far = np.minimum(far, np.linalg.norm(points - points[following], axis=1))
    return [int(front[place]) for place in order]
