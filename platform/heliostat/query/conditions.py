"""Conditions on runs: comparisons of fields, joined by and, or, not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.query.fields import PLAIN, Field, field, quoted, wanted_value
from heliostat.query.meaning import set_test_of, test_of
from heliostat.trial import Run

WIRE_OPERATORS = ("==", "!=", ">=", ">", "<=", "<", "isnull")
OPERATORS = (*WIRE_OPERATORS, "contains")
"""SigOpt's, and ``contains``: a part of a text in any case, an item of a list, a key of a mapping."""

KEYWORDS = frozenset(("and", "or", "not", "is", "in", "contains", "missing"))
NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf)")

_BY_KIND = {
    "set": ("==", "!=", "isnull", "contains"),
    "state": ("==", "!=", "isnull"),
    "flag": ("==", "!=", "isnull"),
    "identity": WIRE_OPERATORS,
    "number": WIRE_OPERATORS,
    "time": WIRE_OPERATORS,
}


@dataclass(frozen=True)
class Filter:
    """One comparison.

    Args:
        field: Name of a field, see :func:`heliostat.query.field`; kept in its canonical form.
        operator: One of :data:`OPERATORS`.
        value: What to compare with: a number, a text, a truth value; times also as ISO texts (local time
            unless they name a zone). With ``isnull``: whether to be missing, ``True`` if left out.

    Raises:
        InvalidValue: The field is unknown, or the operator or value does not suit it.
    """

    field: str
    operator: str
    value: Any = None

    def __post_init__(self) -> None:
        about = field(self.field)
        allowed = _BY_KIND.get(about.kind, OPERATORS)
        if self.operator not in allowed:
            rule = f"can be compared by {' '.join(allowed)}"
            raise InvalidValue(about.label, rule, given=self.operator, remedy="Use one of these.")
        object.__setattr__(self, "field", about.name)
        object.__setattr__(self, "value", self._settled(about))

    def _settled(self, about: Field) -> Any:
        if self.operator != "isnull":
            return wanted_value(about, self.value)
        if self.value is not None and not isinstance(self.value, bool):
            raise InvalidValue(about.label, "isnull is true or false", given=self.value)
        return self.value is not False

    @property
    def about(self) -> Field:
        """The field that is compared."""
        return field(self.field)

    def __str__(self) -> str:
        about = self.about
        if self.operator == "isnull":
            return f"{about} is {'' if self.value else 'not '}missing"
        if self.operator == "contains":
            return f"{about} contains {_word(self.value)}"
        return f"{about} {'=' if self.operator == '==' else self.operator} {_word(self.value)}"


@dataclass(frozen=True)
class And:
    """All of these; of none, every run."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(_inner(item, And, Or) for item in self.conditions)


@dataclass(frozen=True)
class Or:
    """Any of these; of none, no run."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(_inner(item, Or) for item in self.conditions)


@dataclass(frozen=True)
class Not:
    """The runs that the condition does not match, those among them where its field is missing."""

    condition: Condition

    def __str__(self) -> str:
        return f"not {_inner(self.condition, And, Or)}"


Condition = Filter | And | Or | Not


def predicate(condition: Condition) -> Callable[[Run], bool]:
    """The function that tells whether a run matches."""
    if isinstance(condition, Filter):
        about = condition.about
        make = set_test_of if about.kind == "set" else test_of
        read, test = about.read, make(condition.operator, condition.value)
        return lambda run: test(read(run))
    if isinstance(condition, Not):
        inner = predicate(condition.condition)
        return lambda run: not inner(run)
    tests = [predicate(item) for item in condition.conditions]
    if isinstance(condition, And):
        return lambda run: all(test(run) for test in tests)
    return lambda run: any(test(run) for test in tests)


def filters_of(condition: Condition) -> Iterator[Filter]:
    """All comparisons in a condition."""
    if isinstance(condition, Filter):
        yield condition
    elif isinstance(condition, Not):
        yield from filters_of(condition.condition)
    else:
        for item in condition.conditions:
            yield from filters_of(item)


def _inner(condition: Condition, *kinds: type) -> str:
    return f"({condition})" if isinstance(condition, kinds) else str(condition)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    is_plain = PLAIN.fullmatch(value) and not NUMBER.fullmatch(value)
    return value if is_plain and value not in KEYWORDS | {"true", "false"} else quoted(value)
