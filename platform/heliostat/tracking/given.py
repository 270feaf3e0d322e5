"""What users give to be recorded, in the one form that is kept; what has no such form is refused by name."""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.outcome import measurement
from heliostat.trial import Measurement

LARGEST_TEXT = 4 * 2**20
"""Characters of one text value; longer ones belong into a file or one of the run's texts."""

_PROJECT = re.compile(r"[A-Za-z0-9\-_.]{1,100}")


def name(value: Any, field: str) -> str:
    """A name of 1 to 100 printable characters, any script and emoji included."""
    text = schema.name(value, field)
    if any(0xD800 <= ord(char) < 0xE000 for char in text):
        remedy = "Replace what did not decode, for instance with text.encode('utf-8', 'replace').decode()."
        raise InvalidValue(field, "a name must be valid Unicode", given=value, remedy=remedy)
    return text


def text(value: str, field: str) -> str:
    """A text as it is, up to :data:`LARGEST_TEXT` characters."""
    if len(value) > LARGEST_TEXT:
        rule = f"a text value must have at most {LARGEST_TEXT} characters"
        remedy = "Keep it as one of the run's texts with set_logs({name: text})."
        raise InvalidValue(field, rule, given=value, remedy=remedy)
    return value


def fact(value: Any, field: str) -> Any:
    """A number, ``True``, ``False`` or ``None`` as it is; all else as text, as the sigopt module did."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(str(value), field)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Number) and not isinstance(value, numbers.Complex):
        return float(value)  # type: ignore[arg-type]  # Decimal
    if isinstance(value, numbers.Real):
        return float(value)
    return text(str(value), field) if not _is_scalar(value) else _scalar(value.item(), field)


def facts(values: Any, field: str) -> dict[str, Any]:
    """Facts by name."""
    return {name(key, f"{field} name"): fact(value, f"{field}.{key}") for key, value in _items(values, field)}


def metrics(values: Any) -> dict[str, Measurement]:
    """Measurements by metric name; NaN and infinity are kept, what is no number is refused."""
    return {
        name(key, "metric name"): measurement(value, f"metric {key!r}")
        for key, value in _items(values, "metrics")
    }


def project(value: Any) -> str:
    """A project's id: letters, digits, ``-``, ``_`` and ``.``, as it is part of addresses."""
    if not isinstance(value, str) or not _PROJECT.fullmatch(value):
        rule = "must be 1 to 100 letters, digits, hyphens, underscores and periods"
        raise InvalidValue("project", rule, given=value, remedy="Its name may be any text.")
    return value


def _is_scalar(value: Any) -> bool:
    is_one = getattr(value, "size", None) == 1 or getattr(value, "ndim", None) == 0
    return is_one and callable(getattr(value, "item", None))


def _scalar(value: Any, field: str) -> Any:
    """What an array library's scalar holds."""
    return fact(value, field) if isinstance(value, (bool, int, float, str)) else text(str(value), field)


def _items(values: Any, field: str) -> Any:
    if not isinstance(values, Mapping):
        values = schema.mapping(values, field)
    return values.items()
