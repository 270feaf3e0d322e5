"""Pareto domination among points of which more is better in every coordinate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def non_dominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other point dominates.

    A point dominates another if it is nowhere worse and somewhere better, so equal points stay together.

    Args:
        points: Finite values, shape ``n x m``; more is better.

    Returns:
        Mask of shape ``n``.
    """
    count = len(points)
    mask = np.zeros(count, dtype=bool)
    # A dominating point has the larger (lexicographic) rank, so each round's first survivor is on the front.
    waiting = np.lexsort(points.T[::-1])[::-1] if count else np.empty(0, dtype=int)
    while len(waiting):
        leader = points[waiting[0]]
        mask[waiting[0]] = True
        rest = points[waiting[1:]]
        beaten = np.all(leader >= rest, axis=1) & np.any(leader > rest, axis=1)
        waiting = waiting[1:][~beaten]
    return mask


def joined(front: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The front with one more point, less those that it dominates; ``None`` where it adds nothing.

    Args:
        front: Points of which none dominates another, shape ``n x m``.
        point: Shape ``m``.
    """
    if np.any(np.all(front >= point, axis=1)):
        return None
    return np.vstack([front[~np.all(front <= point, axis=1)], point])
