"""The hypervolume indicator: how much of objective space a set of points dominates.

Exact, by slicing along the last objective down to a sweep in the plane [While2006]_; with the search for the
undominated points O(n²) for two objectives, O(n³) for three, O(nᵐ) in general, for the n points of a front.

.. [While2006] L. While, P. Hingston, L. Barone, S. Huband. A faster algorithm for calculating hypervolume.
   IEEE Transactions on Evolutionary Computation 10(1), 2006.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis.domination import non_dominated
from heliostat.errors import InvalidValue


def hypervolume(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Volume between the reference point and the points.

    Args:
        points: Shape ``n x m``, ``m`` ≥ 1; more is better. Points not above the reference add nothing.
        reference: Shape ``m``.

    Returns:
        The volume, 0 without points; in the product of the objectives' units.

    Raises:
        InvalidValue: Shapes do not match, or a value is not finite.
    """
    points, reference = np.asarray(points, dtype=float), np.asarray(reference, dtype=float)
    if reference.ndim != 1 or not len(reference) or points.ndim != 2 or points.shape[1] != len(reference):
        given = {"points": points.shape, "reference": reference.shape}
        raise InvalidValue("hypervolume", "points must be n x m and the reference m", given=given)
    if not (np.isfinite(points).all() and np.isfinite(reference).all()):
        remedy = "Leave runs without finite values out."
        raise InvalidValue("hypervolume", "all values must be finite", remedy=remedy)
    above = points[np.all(points > reference, axis=1)] - reference
    return _volume(above)


def _volume(points: NDArray[np.float64]) -> float:
    if not len(points):
        return 0.0
    m = points.shape[1]
    if m == 1:
        return float(points.max())
    front = np.unique(points[non_dominated(points)], axis=0)
    if m == 2:
        return _area(front)
    # Between two neighbouring levels of the last objective exactly the points above them dominate.
    front = front[np.argsort(-front[:, -1], kind="stable")]
    lower = np.append(front[1:, -1], 0.0)
    depths = front[:, -1] - lower
    slabs = (depth * _volume(front[: place + 1, :-1]) for place, depth in enumerate(depths) if depth > 0)
    return float(sum(slabs))


def _area(front: NDArray[np.float64]) -> float:
    """Area under a staircase of mutually non-dominated points with distinct first coordinates."""
    front = front[np.argsort(front[:, 0])]
    widths = np.diff(front[:, 0], prepend=0.0)
    return float(widths @ front[:, 1])
