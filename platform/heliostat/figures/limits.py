"""Limits in a plot: a dashed line with its value, and shade on the side that misses it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.figures.numbers import label, short
from heliostat.figures.scale import EDGE, Scale
from heliostat.figures.theme import BAD
from heliostat.metrics import Metric

SHADE = 0.09
"""Opacity of the shaded side: visible on both grounds, and marks on it stay readable."""


def limit_text(metric: Metric) -> str:
    """The limit as people write it: ``latency_ms ≤ 20``; the name alone without one."""
    if metric.threshold is None:
        return metric.name
    return f"{metric.name} {'≥' if metric.sign > 0 else '≤'} {short(metric.threshold)}"


def limit_marks(
    axes: Sequence[Metric], scales: Sequence[Scale]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shapes and annotations for the limits of the metrics on the x and the y axis."""
    found = [
        limit_on(letter, metric, shown) for letter, metric, shown in zip("xy", axes, scales, strict=True)
    ]
    return [item for shapes, _ in found for item in shapes], [item for _, texts in found for item in texts]


def limit_on(letter: str, metric: Metric, shown: Scale) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shapes and annotations for the limit on one axis (``x`` or ``y``); none without a limit."""
    if metric.threshold is None or abs(metric.threshold) > EDGE:
        return [], []
    return _shapes(letter, metric, metric.threshold, shown), [
        _annotation(letter, metric, metric.threshold, shown)
    ]


def _shapes(letter: str, metric: Metric, threshold: float, shown: Scale) -> list[dict[str, Any]]:
    other = "y" if letter == "x" else "x"
    across = {f"{letter}ref": letter, f"{other}ref": "paper", f"{other}0": 0, f"{other}1": 1}
    line = {"type": "line", f"{letter}0": threshold, f"{letter}1": threshold, **across}
    missed = {"type": "rect", f"{letter}0": threshold, f"{letter}1": shown.beyond(metric.sign < 0), **across}
    return [
        {**missed, "fillcolor": BAD, "opacity": SHADE, "line": {"width": 0}, "layer": "below"},
        {**line, "line": {"color": BAD, "width": 1.5, "dash": "dash"}, "layer": "below"},
    ]


def _annotation(letter: str, metric: Metric, threshold: float, shown: Scale) -> dict[str, Any]:
    place = math.log10(threshold) if shown.is_log else threshold
    low, high = shown.axis["range"]
    share = (place - low) / (high - low)
    style = {"showarrow": False, "text": label(limit_text(metric)), "font": {"color": BAD, "size": 11}}
    if letter == "x":
        anchor = "left" if share < 0.3 else "right" if share > 0.7 else "center"
        return {**style, "x": place, "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": anchor}
    anchor = "top" if share > 0.9 else "bottom"
    return {**style, "x": 1, "xref": "paper", "y": place, "xanchor": "right", "yanchor": anchor}
