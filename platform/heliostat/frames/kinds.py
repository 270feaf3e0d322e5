"""The one type of a column of values, if it has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

INTEGER, REAL, TRUTH, TEXT, NOTHING, MIXED = "integer", "real", "truth", "text", "nothing", "mixed"

_KINDS = {frozenset((int,)): INTEGER, frozenset((float,)): REAL, frozenset((int, float)): REAL}
_KINDS |= {frozenset((bool,)): TRUTH, frozenset((str,)): TEXT, frozenset(): NOTHING}
_LARGEST = 2**63
_EXACT = 2**53


def kind_of_column(values: Sequence[Any]) -> tuple[str, bool]:
    """The kind of the values that are there, and whether any is missing.

    Numbers that the column's type could not hold exactly make it ``mixed``.
    """
    types = frozenset(map(type, values))
    kind = _KINDS.get(types - {type(None)}, MIXED)
    limit = {INTEGER: _LARGEST, REAL: _EXACT}.get(kind, 0)
    if limit and int in types:
        whole = values if kind == INTEGER and len(types) == 1 else [v for v in values if type(v) is int]
        if max(whole) >= limit or min(whole) <= -limit:
            kind = MIXED
    return kind, type(None) in types
