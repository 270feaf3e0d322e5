"""What comparing and sorting mean when values are of any kind, missing or NaN.

- A missing value matches no comparison; only ``isnull`` finds it.
- NaN is there, so ``isnull`` does not find it, and it matches no comparison, ``!=`` included.
- Numbers compare as numbers, ``int`` and ``float`` alike and exactly. Texts compare by code point. Lists and
  mappings equal nothing that can be asked for.
- Values of different kinds are unequal and neither is the smaller: a text never equals a number.
- In order, numbers come before texts, texts before truth values, those before lists and mappings; missing
  values and NaN come last in both directions.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping
from enum import Enum
from numbers import Real
from typing import Any

Key = tuple[int, Any]
"""Sorts values of all kinds: the rank of the kind, then the value within it."""


class Kind(Enum):
    """Kinds of values; the number is the rank in an order."""

    NUMBER = 0
    TEXT = 1
    TRUTH = 2
    OTHER = 3


_KINDS = {int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT, bool: Kind.TRUTH}
_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def kind_of(value: Any) -> Kind:
    """The kind of a value that is not missing."""
    return _KINDS.get(type(value)) or _kind_of_unusual(value)


def is_nan(value: Any) -> bool:
    """Whether this is a number that is not a number."""
    return isinstance(value, float) and math.isnan(value)


def _kind_of_unusual(value: Any) -> Kind:
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.NUMBER if isinstance(value, Real) else Kind.OTHER


def test_of(sign: str, wanted: Any) -> Callable[[Any], bool]:
    """The test that a comparison makes of a found value; a missing one is ``None``."""
    if sign == "isnull":
        return (lambda found: found is None) if wanted else (lambda found: found is not None)
    if sign == "contains":
        return _contains(wanted)
    kind = kind_of(wanted)
    if sign == "!=":
        return lambda found: (
            found is not None and not is_nan(found) and (kind_of(found) is not kind or found != wanted)
        )
    if sign == "==":
        return lambda found: found is not None and found == wanted and kind_of(found) is kind
    compare = _ORDERED[sign]
    return lambda found: found is not None and kind_of(found) is kind and compare(found, wanted)


def set_test_of(sign: str, wanted: Any) -> Callable[[Any], bool]:
    """The same for fields that hold a set of names: equal means to be among them."""
    if sign == "isnull":
        return (lambda found: not found) if wanted else bool
    if sign == "!=":
        return lambda found: wanted not in found
    return lambda found: wanted in found


def key_of(value: Any) -> Key | None:
    """The value's place in an order, ``None`` for missing values and NaN, which have none."""
    if value is None:
        return None
    kind = kind_of(value)
    if kind is Kind.NUMBER:
        return None if is_nan(value) else (0, value)
    if kind is Kind.OTHER:
        return 3, json.dumps(value, sort_keys=True, default=str)
    return kind.value, value


def _contains(wanted: Any) -> Callable[[Any], bool]:
    part = wanted.casefold() if isinstance(wanted, str) else None
    is_item = test_of("==", wanted)

    def test(found: Any) -> bool:
        if isinstance(found, str):
            return part is not None and part in found.casefold()
        if isinstance(found, (list, tuple)):
            return any(is_item(item) for item in found)
        return isinstance(found, Mapping) and part is not None and wanted in found

    return test
