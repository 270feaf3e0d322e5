"""Which part of an axis to show, and on which scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LOG_FROM = 100.0
"""Positive values whose middle nine tenths span more than this factor are shown on a log scale."""

OUTLIER = 3.0
"""Values further from the middle nine tenths than this many of its spans are left outside the shown range."""

FEW = 10
"""Below this many values nothing is called an outlier."""

EDGE = 1e300
"""Largest magnitude drawn; plotly's own arithmetic overflows a little above."""

ROOM = 0.06
"""Part of the range left free at each end, so that marks at the edge are whole."""


@dataclass(frozen=True)
class Scale:
    """The shown range of an axis, in values.

    Args:
        low: Lower end.
        high: Upper end.
        is_log: Whether the axis is logarithmic.
        outside: How many of the values are not shown.
    """

    low: float
    high: float
    is_log: bool = False
    outside: int = 0

    @property
    def axis(self) -> dict[str, Any]:
        """The plotly fields of this scale."""
        if self.is_log:
            return {"type": "log", "range": [math.log10(self.low), math.log10(self.high)]}
        return {"type": "linear", "range": [self.low, self.high]}

    def beyond(self, is_up: bool) -> float:
        """A value far outside the shown range, for shading that also holds after zooming out."""
        if self.is_log:
            exponent = math.log10(self.high) + 9 if is_up else math.log10(self.low) - 9
            return float(10.0 ** min(max(exponent, -300.0), 300.0))
        reach = min(10 * (self.high - self.low), EDGE)
        return self.high + reach if is_up else self.low - reach


def scale(values: Sequence[float], keep: Sequence[float] = ()) -> Scale:
    """The scale that shows `values`, all but outliers, and in any case `keep`.

    Args:
        values: The plotted values; those that are not finite do not count.
        keep: Values that must be seen, such as limits and best runs.
    """
    held = [value for value in keep if abs(value) <= EDGE]
    finite = [value for value in values if math.isfinite(value)]
    known = np.array([value for value in finite if abs(value) <= EDGE] or held or [0.0, 1.0])
    lost = sum(abs(value) > EDGE for value in finite)
    near, far = np.quantile(known, [0.05, 0.95])
    is_log = bool(known.min() > 0 and min(held, default=1.0) > 0 and far / LOG_FROM > near)
    if is_log:
        known, held = np.log10(known), [math.log10(value) for value in held]
        near, far = np.quantile(known, [0.05, 0.95])
    low, high = float(known.min()), float(known.max())
    if len(known) >= FEW and far > near:
        low, high = max(low, near - OUTLIER * (far - near)), min(high, far + OUTLIER * (far - near))
    low, high = min([low, *held]), max([high, *held])
    outside = lost + int(np.sum((known < low) | (known > high)))
    return _roomy(low, high, is_log, outside)


def outside_note(count: int, noun: str = "mark") -> str:
    """A sentence about what is not shown."""
    what = f"One {noun} lies" if count == 1 else f"{count} {noun}s lie"
    return f"{what} outside the shown range."


def _roomy(low: float, high: float, is_log: bool, outside: int) -> Scale:
    room = ROOM * (high - low) if high > low else max(abs(low) * 0.1, 0.5 if is_log or low == 0 else 0.0)
    low, high = low - room, high + room
    if is_log:
        return Scale(10.0 ** max(low, -307.0), 10.0 ** min(high, 308.0), True, outside)
    return Scale(low, high, False, outside)
