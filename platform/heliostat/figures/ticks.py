"""Where an axis of a static drawing has its ticks, and what they say."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.figures.numbers import short

WANTED = 6
"""Ticks an axis has about so many of."""


@dataclass(frozen=True)
class Axis:
    """One axis of a drawing.

    Args:
        low: Lower end, in values or, on a log axis, exponents of ten.
        high: Upper end.
        is_log: Whether it is logarithmic.
        ticks: ``(value, text)`` of each tick.
        title: Below or beside it, unescaped.
    """

    low: float
    high: float
    is_log: bool
    ticks: tuple[tuple[float, str], ...]
    title: str

    def share(self, value: Any) -> float:
        """Where a value lies between the ends, 0 to 1 inside; NaN where it cannot be drawn."""
        if not isinstance(value, (int, float)) or not math.isfinite(value) or (self.is_log and value <= 0):
            return math.nan
        place = math.log10(value) if self.is_log else float(value)
        return (place - self.low) / (self.high - self.low)


def read_axis(found: Mapping[str, Any], values: Sequence[Any]) -> Axis:
    """The axis that a plotly layout describes, fitted to `values` where it names no range."""
    is_log = found.get("type") == "log"
    low, high = found["range"] if "range" in found else _fitted(values, is_log, found)
    title = html.unescape(found.get("title", {}).get("text", ""))
    if "tickvals" in found:
        named = zip(found["tickvals"], found["ticktext"], strict=True)
        ticks = tuple((float(value), html.unescape(str(text))) for value, text in named)
    else:
        ticks = tuple((value, short(value)) for value in _places(low, high, is_log))
    return Axis(low, high, is_log, ticks, title)


def _fitted(values: Sequence[Any], is_log: bool, found: Mapping[str, Any]) -> tuple[float, float]:
    known = [float(value) for value in values if isinstance(value, (int, float)) and math.isfinite(value)]
    known = [math.log10(value) for value in known if value > 0] if is_log else known
    known = [*known, 0.0] if found.get("rangemode") == "tozero" and not is_log else known
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.04 * (high - low) or 0.5
    return (low if found.get("rangemode") == "tozero" else low - room), high + room


def _places(low: float, high: float, is_log: bool) -> list[float]:
    if is_log and high - low >= 1:
        stride = max(1, math.ceil((high - low) / WANTED))
        return [10.0**power for power in range(math.ceil(low), math.floor(high) + 1) if power % stride == 0]
    if is_log:
        return [value for value in _places(10.0**low, 10.0**high, False) if value > 0]
    step = _step((high - low) / WANTED)
    first = math.ceil(low / step)
    return [round((first + place) * step, 12 - math.floor(math.log10(step))) for place in range(2 * WANTED)
            if (first + place) * step <= high]  # fmt: skip


def _step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least this."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= 0.999 * least)
