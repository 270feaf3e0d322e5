"""Numbers and names as figures carry them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DIGITS = 6
"""Significant digits in a figure's JSON: more than a screen resolves."""


def rounded(value: Any) -> float | int | None:
    """A number with at most :data:`DIGITS` significant digits; ``None`` if it is not finite."""
    if isinstance(value, int):
        return value
    real = float(value)
    if not math.isfinite(real):
        return None
    short = float(f"{real:.{DIGITS}g}")
    return short if math.isfinite(short) else real


def compact(value: Any) -> Any:
    """The same JSON value with its numbers :func:`rounded`, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): compact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [compact(item) for item in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    return rounded(value)


def short(value: Any) -> str:
    """A value for people: numbers with 4 significant digits, integers whole, texts as they are."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    size = abs(value)
    if size < 1e7 and value == int(value):
        return str(int(value))
    if 1e-4 <= size < 1e7:
        return repr(float(f"{value:.4g}")).removesuffix(".0")
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def number_of_runs(count: int) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {'run' if count == 1 else 'runs'}"


AXIS_LENGTH = 34
"""Longest title along an axis, in characters: a figure is about 200 pixels high."""


def label(text: str, *, longest: int = 60) -> str:
    """A user's text for a plotly label: cut to length and with its marks escaped.

    Plotly reads a few HTML tags, entities and ``%{templates}`` in labels; names are not meant to use them.
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    escaped = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("%{", "%&#123;")
