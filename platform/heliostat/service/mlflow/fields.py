"""Reading the fields of requests as protocol buffers' JSON writes them.

Whole numbers may come as texts, numbers as ``"NaN"`` or ``"Infinity"``; ``null`` is a field left out; unknown
fields are ignored, for newer clients send more. Arguments of addresses are texts throughout.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat.errors import InvalidValue

LONGEST_KEY = 250
"""Characters of the name of a parameter, metric or tag: MLflow's limit."""

LARGEST_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_ODD = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Data = Mapping[str, Any]


def text(data: Data, name: str, *, longest: int | None = None) -> str | None:
    """A text, ``None`` if it was left out.

    Raises:
        InvalidValue: It is no text, too long, or holds what no log can keep.
    """
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidValue(name, "must be a text", given=value)
    if "\x00" in value or any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise InvalidValue(name, "must be valid Unicode without NUL")
    if longest is not None and len(value) > longest:
        raise InvalidValue(name, f"must have at most {longest} characters", given=value)
    return value


def required_text(data: Data, name: str, *, longest: int | None = None) -> str:
    """A text that must be there and not be empty.

    Raises:
        InvalidValue: It is not.
    """
    found = text(data, name, longest=longest)
    if not found:
        raise InvalidValue(name, "is required", remedy="Send a text that is not empty.")
    return found


def key(data: Data, name: str = "key") -> str:
    """The name of a parameter, metric or tag: any text of 1 to :data:`LONGEST_KEY` characters."""
    return required_text(data, name, longest=LONGEST_KEY)


def integer(data: Data, name: str) -> int | None:
    """A whole number of 64 bits, ``None`` if it was left out.

    Raises:
        InvalidValue: It is none.
    """
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) <= LARGEST_INTEGER else LARGEST_INTEGER + 1
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_INTEGER:
        raise InvalidValue(name, "must be a whole number of 64 bits", given=value)
    return value


def required_integer(data: Data, name: str) -> int:
    """A whole number that must be there.

    Raises:
        InvalidValue: It is not.
    """
    found = integer(data, name)
    if found is None:
        raise InvalidValue(name, "is required", remedy="Send a whole number.")
    return found


def number(data: Data, name: str) -> float:
    """A number that must be there; NaN and infinity come as texts.

    Raises:
        InvalidValue: It is none.
    """
    value = data.get(name)
    if isinstance(value, str):
        if value in _ODD:
            return _ODD[value]
        if _NUMBER.fullmatch(value):
            return float(value)
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidValue(name, 'must be a number, "NaN", "Infinity" or "-Infinity"', given=value)
    try:
        return float(value)
    except OverflowError:
        raise InvalidValue(name, "must be a number of double precision", given=str(value)[:40]) from None


def written_number(value: float) -> float | str:
    """A number as protocol buffers' JSON writes it."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def objects(data: Data, name: str, *, most: int) -> list[Data]:
    """A list of objects, empty if it was left out.

    Raises:
        InvalidValue: It is no such list, or longer than `most`.
    """
    found = _items(data, name, most)
    for place, item in enumerate(found):
        if not isinstance(item, dict):
            raise InvalidValue(f"{name}[{place}]", "must be an object", given=item)
    return found


def texts(data: Data, name: str, *, most: int) -> list[str]:
    """A list of texts, empty if it was left out; one text alone counts, as arguments of addresses come so.

    Raises:
        InvalidValue: It is no such list, or longer than `most`.
    """
    value = data.get(name)
    found = [value] if isinstance(value, str) else _items(data, name, most)
    return [required_text({name: item}, name) for item in found]


def choice(data: Data, name: str, options: Sequence[str]) -> str | None:
    """One of some words or its number, counted from 1; ``None`` if it was left out.

    Raises:
        InvalidValue: It is another.
    """
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(options):
        return options[value - 1]
    if value not in options:
        raise InvalidValue(name, f"must be one of {', '.join(options)}", given=value)
    return str(value)


def _items(data: Data, name: str, most: int) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidValue(name, "must be a list", given=value)
    if len(value) > most:
        raise InvalidValue(name, f"must have at most {most} items", given=len(value))
    return value
