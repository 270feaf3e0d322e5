"""Moments and durations in words."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def lasted(seconds: float | None) -> str:
    """A duration with its largest unit and the next: ``2 h 5 min``; a dash if it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for place, (size, name) in enumerate(_UNITS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            if place + 1 < len(_UNITS) and rest >= _UNITS[place + 1][0]:
                smaller, small = _UNITS[place + 1]
                return f"{whole:.0f} {name} {rest // smaller:.0f} {small}"
            return f"{whole:.0f} {name}"
    return "0 s"


def day(moment: float | None) -> str:
    """A moment, UTC; a dash if it is not known."""
    if not moment:
        return "–"
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(moment: float | None) -> str:
    """How long ago a moment was, by this machine's clock."""
    if not moment:
        return "–"
    seconds = time.time() - moment
    return "just now" if seconds < 5 else f"{lasted(seconds).split(' ', 2)[0]} {_unit(seconds)} ago"


def _unit(seconds: float) -> str:
    return next(name for size, name in _UNITS if seconds >= size)
