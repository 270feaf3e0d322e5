"""Typed values from texts: CSV cells and MLflow's parameters have lost their types."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from heliostat.space import Value

_INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan")
_FLAGS = {"True": True, "true": True, "False": False, "false": False}


def guess(text: str) -> Value:
    """The value that was most likely written so.

    ``True``, ``true``, ``False``, ``false`` are flags; whole numbers without leading zeros are integers;
    other decimal numbers, ``nan``, ``inf`` and ``-inf`` are floats; everything else, ``None`` and ``007``
    too, stays a text.
    """
    bare = text.strip()
    if bare in _FLAGS:
        return _FLAGS[bare]
    if _INTEGER.fullmatch(bare):
        return int(bare)
    if _NUMBER.fullmatch(bare) and not re.match(r"[+-]?0\d", bare):
        return float(bare)
    return text


def cell(text: str) -> Any:
    """A cell of a table: JSON if it is a quoted text, a list or a mapping, else as :func:`guess` reads it."""
    if text[:1] in ('"', "[", "{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return guess(text)


def number(text: str) -> float | None:
    """A number, NaN and infinity included, or ``None`` if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def moment(text: str) -> float | None:
    """Seconds since the epoch from such a number or an ISO 8601 date (UTC if it names no zone)."""
    seconds = number(text)
    if seconds is not None:
        return seconds
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
