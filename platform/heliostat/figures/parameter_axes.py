"""A parameter along an axis: where its values lie, and how the axis is labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.figures.numbers import AXIS_LENGTH, label, short
from heliostat.figures.scale import EDGE, ROOM, Scale
from heliostat.figures.theme import axis
from heliostat.space import Categorical, Parameter, Value

LONGEST_CATEGORY = 16
"""Characters of a category beside an axis."""


def place_of(item: Parameter, value: Value | None) -> float:
    """Where a value lies on the axis: a number itself, a category by its place; NaN if nowhere."""
    if value is None:
        return math.nan
    if isinstance(item, Categorical):
        return float(item.values.index(str(value))) if str(value) in item.values else math.nan
    if isinstance(value, str):
        return math.nan
    place = float(value)
    return math.nan if abs(place) > EDGE or (item.log and place <= 0) else place


def parameter_scale(item: Parameter, places: Sequence[float] = ()) -> Scale:
    """The bounds of a parameter, and beyond them all `places`, with room at both ends."""
    if isinstance(item, Categorical):
        return Scale(-0.6, len(item.values) - 0.4)
    held = [place for place in places if math.isfinite(place)]
    low, high = (min(max(bound, -EDGE), EDGE) for bound in item.bounds)
    low, high = min([low, *held]), max([high, *held])
    if item.log:
        near, far = math.log10(low), math.log10(high)
        room = ROOM * (far - near) or 0.5
        return Scale(10.0 ** max(near - room, -307.0), 10.0 ** min(far + room, 307.0), is_log=True)
    room = ROOM * (high - low) or 0.5
    return Scale(low - room, high + room)


def _log_ticks(shown: Scale) -> list[float]:
    """Powers of ten, of narrow ranges also 2 and 5 times such; plotly's own lone 2 and 5 are hard to read."""
    low, high = math.log10(shown.low), math.log10(shown.high)
    steps = (1.0, 2.0, 5.0) if high - low < 3 else (1.0,)
    stride = max(1, math.ceil((high - low) / 6))
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers if power % stride == 0 for step in steps]
    return [tick for tick in ticks if shown.low <= tick <= shown.high]


def parameter_axis(item: Parameter, shown: Scale, **settings: Any) -> dict[str, Any]:
    """The plotly axis of a parameter."""
    ticks: dict[str, Any] = {}
    if isinstance(item, Categorical):
        texts = [label(value, longest=LONGEST_CATEGORY) for value in item.values]
        ticks = {"tickvals": list(range(len(texts))), "ticktext": texts}
    elif shown.is_log:
        places = _log_ticks(shown)
        ticks = {"tickvals": places, "ticktext": [short(place) for place in places]}
    return axis(label(item.name, longest=AXIS_LENGTH), **shown.axis, **ticks, **settings)
