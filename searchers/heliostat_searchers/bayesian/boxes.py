"""The region that no point of a front dominates, as boxes that do not overlap.

Along the last objective, from the best value down, the other objectives form a front that only changes where
a point comes in; a box of theirs lasts until then. With two objectives that is the staircase, with three it
gives about two boxes a point. (Sweeps along one objective: Fonseca, Paquete and López-Ibáñez 2006, *An
improved dimension-sweep algorithm for the hypervolume indicator*.)
Letters: ``n`` points, ``m`` objectives, ``c`` boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[float, ...]
Box = tuple[Point, Point]


def boxes(front: Array, reference: Array) -> tuple[Array, Array]:
    """Boxes that fill what lies above the reference point and is not dominated by the front.

    Args:
        front: Points, ``n x m``, more is better; those not above the reference point change nothing.
        reference: The reference point, ``m``.

    Returns:
        Lower and upper corners, ``c x m`` each; the outermost upper ones are infinite.
    """
    above = np.unique(front[np.all(front > reference, axis=1)], axis=0)
    found = sorted(_boxes([tuple(map(float, point)) for point in above], tuple(map(float, reference))))
    return np.array([lower for lower, _ in found]), np.array([upper for _, upper in found])


def _boxes(points: Sequence[Point], reference: Point) -> list[Box]:
    if len(reference) == 1:
        return [((max((point[0] for point in points), default=reference[0]),), (np.inf,))]
    *rest, last = reference
    opened: dict[Box, float] = {box: np.inf for box in _boxes([], tuple(rest))}
    done: list[Box] = []
    met: list[Point] = []
    for point in sorted(points, key=lambda point: -point[-1]):
        if any(_is_at_least(other, point[:-1]) for other in met):
            continue
        met = [other for other in met if not _is_at_least(point[:-1], other)] + [point[:-1]]
        level = point[-1]
        now = set(_boxes(met, tuple(rest)))
        for box in opened.keys() - now:
            done += _closed(box, level, opened.pop(box))
        opened.update((box, level) for box in now - opened.keys())
    for box, upper in opened.items():
        done += _closed(box, last, upper)
    return done


def _closed(box: Box, lower: float, upper: float) -> list[Box]:
    return [((*box[0], lower), (*box[1], upper))] if lower < upper else []


def _is_at_least(one: Point, other: Point) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True))
