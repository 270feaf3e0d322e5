"""Comparisons as MLflow's searches make them: what is asked about, by which sign, and what matches.

What is missing matches nothing but ``IS NULL``; NaN matches nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

METRIC, PARAM, TAG, ATTRIBUTE, DATASET = "metric", "param", "tag", "attribute", "dataset"


@dataclass(frozen=True)
class Names:
    """What may be asked about.

    Args:
        texts: Attributes that hold texts.
        numbers: Attributes that hold numbers.
        families: Families of keys beside them.
        aliases: Other words for attributes.
    """

    texts: frozenset[str]
    numbers: frozenset[str]
    families: frozenset[str]
    aliases: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """One comparison; `value` is a number, a text, a tuple of texts, or ``None`` for ``IS NULL``."""

    family: str
    key: str
    sign: str
    value: Any = None


@dataclass(frozen=True)
class Order:
    """What to sort by."""

    family: str
    key: str
    ascending: bool


def matches(comparison: Comparison, found: Any) -> bool:
    """Whether a value matches; ``None`` is missing, a list matches if one of its items does."""
    sign = comparison.sign
    if isinstance(found, list):
        return any(matches(comparison, item) for item in found)
    if sign == "IS NULL":
        return found is None
    if sign == "IS NOT NULL":
        return found is not None
    if found is None or found != found:  # noqa: PLR0124  # NaN
        return False
    return _TESTS[sign](found, comparison.value)


def is_like(text: str, pattern: str) -> bool:
    """SQL's LIKE: ``%`` stands for any text, ``_`` for one character. Time grows with the text."""
    first, *others = [re.compile(re.escape(part).replace("_", "."), re.DOTALL) for part in pattern.split("%")]
    start = first.match(text)
    if start is None:
        return False
    if not others:
        return start.end() == len(text)
    place = start.end()
    for part in others[:-1]:
        found = part.search(text, place)
        if found is None:
            return False
        place = found.end()
    last = len(pattern.rpartition("%")[2])
    return len(text) - last >= place and others[-1].match(text, len(text) - last) is not None


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, wanted: bool(found == wanted),
    "!=": lambda found, wanted: bool(found != wanted),
    ">": lambda found, wanted: bool(found > wanted),
    ">=": lambda found, wanted: bool(found >= wanted),
    "<": lambda found, wanted: bool(found < wanted),
    "<=": lambda found, wanted: bool(found <= wanted),
    "LIKE": is_like,
    "ILIKE": lambda found, wanted: is_like(found.casefold(), wanted.casefold()),
    "IN": lambda found, wanted: found in wanted,
    "NOT IN": lambda found, wanted: found not in wanted,
}
