"""Reading declared values: one set of rules for Python, YAML, JSON and HTTP.

Each reader takes the value and the path it was found at, and returns the value in its one Python type or
raises :class:`~heliostat.errors.InvalidValue` that names the path. The rules are those of SigOpt's v1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heliostat.errors import InvalidValue

NAME_LENGTH = 100
"""Longest name of a parameter, metric, experiment or run, in characters (SigOpt v1)."""


def name(value: Any, field: str) -> str:
    """A stripped name of 1 to 100 printable characters."""
    if not isinstance(value, str):
        raise InvalidValue(field, "a name must be a text", given=value, remedy="Write it in quotes.")
    stripped = value.strip()
    if not 1 <= len(stripped) <= NAME_LENGTH or any(ord(char) < 32 for char in stripped):
        rule = f"a name must have 1 to {NAME_LENGTH} characters and no control character"
        raise InvalidValue(field, rule, given=value, remedy="Choose a shorter, printable name.")
    return stripped


def number(value: Any, field: str) -> float:
    """A finite real number; numpy scalars count, ``bool`` and text do not."""
    real = real_number(value, field)
    if not math.isfinite(real):
        raise InvalidValue(
            field, "must be finite", given=value, remedy="Replace NaN and infinity by a number."
        )
    return real


def real_number(value: Any, field: str) -> float:
    """A real number, NaN and infinity included; numpy scalars count, ``bool`` and text do not."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        raise InvalidValue(field, "must be a number", given=value, remedy="Write a number without quotes.")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue(field, "must be a number", given=value, remedy="Pass one scalar.") from None


def integer(value: Any, field: str, *, at_least: int | None = None) -> int:
    """An integral number (``3.0`` counts as 3), not below `at_least`."""
    real = number(value, field)
    if real != int(real):
        raise InvalidValue(field, "must be an integer", given=value, remedy="Round it.")
    if at_least is not None and real < at_least:
        raise InvalidValue(field, f"must be an integer of at least {at_least}", given=value)
    return int(value) if hasattr(value, "__int__") else int(real)


def flag(value: Any, field: str) -> bool:
    """``True`` or ``False``."""
    if not isinstance(value, bool):
        raise InvalidValue(field, "must be true or false", given=value)
    return value


def choice(value: Any, field: str, options: Sequence[str]) -> str:
    """One of `options`."""
    if value not in options:
        rule = f"must be one of {', '.join(options)}"
        raise InvalidValue(field, rule, given=value, remedy="Correct the spelling.")
    return str(value)


def mapping(value: Any, field: str) -> dict[str, Any]:
    """A mapping with text keys, as a plain dictionary."""
    if not isinstance(value, Mapping):
        raise InvalidValue(field, "must be a mapping", given=value, remedy="Write key: value pairs.")
    for key in value:
        if not isinstance(key, str):
            raise InvalidValue(field, "keys must be texts", given=key, remedy="Put the key in quotes.")
    return dict(value)


def items(value: Any, field: str) -> list[Any]:
    """A list (any iterable but a text or a mapping)."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise InvalidValue(field, "must be a list", given=value, remedy="Put the items in brackets.")
    return list(value)


def only_keys(data: Mapping[str, Any], field: str, allowed: Sequence[str]) -> None:
    """Refuse keys that are not in `allowed`: a misspelt option must never be ignored."""
    for key in data:
        if key not in allowed:
            rule = f"has no field {key!r}"
            remedy = f"Known fields: {', '.join(sorted(allowed))}."
            raise InvalidValue(field, rule, remedy=remedy, code="HS-VALUE-002")


def required(data: Mapping[str, Any], key: str, field: str) -> Any:
    """``data[key]``, or an error that names the missing field."""
    if data.get(key) is None:
        raise InvalidValue(f"{field}.{key}" if field else key, "is required", remedy="Add it.")
    return data[key]


def unique(names: Iterable[str], field: str, what: str) -> None:
    """Refuse a name that occurs twice."""
    seen: set[str] = set()
    for item in names:
        if item in seen:
            raise InvalidValue(field, f"{what} must be unique", given=item, remedy="Rename one of them.")
        seen.add(item)


def plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` without the keys whose value is ``None`` or empty: the form that is written to files."""
    return {key: value for key, value in data.items() if value is not None and value not in ((), [], {})}
