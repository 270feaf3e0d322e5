"""How many different places a set of points covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = 0.15
"""A satisfactory run shows nothing new closer to a known one than this share of their region's diagonal: in
two dimensions some thirty places fill a region, as many as a person looks through."""


def new_places(units: NDArray[np.float64]) -> list[int]:
    """The rows that lie beyond :data:`REACH` of all such rows before them; the first one always does.

    Args:
        units: Points in the unit cube in the order in which they were found, ``n x d``, ``n`` ≥ 1.
    """
    reach = REACH * float(np.linalg.norm(np.ptp(units, axis=0)))
    chosen = [0]
    for row in range(1, len(units)):
        if np.linalg.norm(units[chosen] - units[row], axis=1).min() > reach:
            chosen.append(row)
    return chosen
