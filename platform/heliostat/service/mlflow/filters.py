"""MLflow's filter strings: comparisons joined by ``AND``.

::

    metrics.accuracy > 0.9 and params.`learning rate` = '0.1' and tags."mlflow.parentRunId" LIKE 'ab%'

::

    filter     := comparison { "AND" comparison }
    comparison := name ( "=" | "!=" | ">" | ">=" | "<" | "<=" ) value
                | name ( "LIKE" | "ILIKE" ) text
                | name [ "NOT" ] "IN" "(" text { "," text } ")"
                | name "IS" [ "NOT" ] "NULL"
    name       := [ family "." ] key      either may stand in backticks or double quotes

A text stands in single or double quotes; a doubled quote stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from heliostat.errors import InvalidValue
from heliostat.service.mlflow.comparisons import (
    ATTRIBUTE,
    DATASET,
    METRIC,
    PARAM,
    TAG,
    Comparison,
    Names,
    Order,
)

LONGEST = 20_000
_FAMILIES = {
    **dict.fromkeys(("metric", "metrics"), METRIC),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), PARAM),
    **dict.fromkeys(("tag", "tags"), TAG),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), ATTRIBUTE),
    **dict.fromkeys(("dataset", "datasets"), DATASET),
}
_NUMERIC = ("=", "!=", ">", ">=", "<", "<=")
_TEXTUAL = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL")

_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    r"(?P<sign>!=|<>|>=|<=|[=<>(),])"
    r"|(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?(?![^\s()=!<>,]))"
    r"|(?P<single>'(?:[^']|'')*')"
    r"|(?P<name>(?:[^\s()=!<>,'\"`]+|`[^`]*`|\"(?:[^\"]|\"\")*\")+)"
)
_PART = re.compile(r"[^'\"`]+|`[^`]*`|\"(?:[^\"]|\"\")*\"")


def read_filter(text: str | None, names: Names) -> list[Comparison]:
    """The comparisons of a filter string; all must hold.

    Raises:
        InvalidValue: It is not of this form; the error names the place.
    """
    if not text or not text.strip():
        return []
    reader = _Reader(text, names)
    found = [reader.comparison()]
    while not reader.is_at_end:
        reader.word("AND")
        found.append(reader.comparison())
    return found


def read_order(text: str, names: Names) -> Order:
    """What an item of ``order_by`` says: ``metrics.loss DESC``.

    Raises:
        InvalidValue: It is not of this form.
    """
    reader = _Reader(text, names, "order_by")
    family, key = reader.name()
    ascending = reader.is_at_end or reader.word("ASC", "DESC") == "ASC"
    if not reader.is_at_end:
        raise reader.wrong("expected the end")
    return Order(family, key, ascending)


class _Reader:
    """Reads tokens from the left; each method takes what it is named after, or raises."""

    def __init__(self, text: str, names: Names, what: str = "filter") -> None:
        self._text, self._names, self._what = text, names, what
        if len(text) > LONGEST:
            raise InvalidValue(what, f"must have at most {LONGEST} characters", given=len(text))
        self._tokens: list[tuple[str, str, int]] = []
        place = _end(text, 0)
        while place < len(text):
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._wrong_at(place, "this cannot be read")
            self._tokens.append((str(found.lastgroup), found[0], place))
            place = _end(text, found.end())
        self._next = 0

    @property
    def is_at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def wrong(self, rule: str) -> InvalidValue:
        place = len(self._text) if self.is_at_end else self._tokens[self._next][2]
        return self._wrong_at(place, rule)

    def comparison(self) -> Comparison:
        family, key = self.name()
        is_number = family == METRIC or (family == ATTRIBUTE and key in self._names.numbers)
        allowed: Sequence[str] = _NUMERIC if is_number else _TEXTUAL
        start = self._next
        sign = self._sign()
        if sign not in allowed:
            self._next = start
            raise self.wrong(f"{family} {key!r} can be compared by {', '.join(allowed)}")
        if sign in ("IS NULL", "IS NOT NULL"):
            return Comparison(family, key, sign)
        if sign in ("IN", "NOT IN"):
            return Comparison(family, key, sign, self._texts())
        return Comparison(family, key, sign, self._number() if is_number else self._quoted())

    def name(self) -> tuple[str, str]:
        _, text, _ = self._take("name", "expected a name such as metrics.loss, params.x or tags.y")
        parts = [part for part in _PART.findall(text) if part]
        family, dot, rest = parts[0].partition(".") if parts[0][0] not in '`"' else (parts[0], "", "")
        if not dot and len(parts) > 1 and parts[1].startswith("."):
            dot, parts[1] = ".", parts[1][1:]
        family = _bare(family)
        if not dot and len(parts) == 1:
            return ATTRIBUTE, self._attribute(family)
        found = _FAMILIES.get(family)
        if found is None or (found != ATTRIBUTE and found not in self._names.families):
            self._next -= 1
            raise self.wrong(f"there is no family {family!r} of names")
        key = rest + "".join(_bare(part) for part in parts[1:])
        return found, self._attribute(key) if found == ATTRIBUTE else key

    def word(self, *words: str) -> str:
        if not self.is_at_end and self._tokens[self._next][1].upper() in words:
            self._next += 1
            return self._tokens[self._next - 1][1].upper()
        raise self.wrong(f"expected {' or '.join(words)}")

    def _attribute(self, name: str) -> str:
        found = self._names.aliases.get(name, name)
        if found not in self._names.texts | self._names.numbers:
            self._next -= 1
            known = ", ".join(sorted(self._names.texts | self._names.numbers))
            raise self.wrong(f"there is no attribute {name!r}; known are {known}")
        return found

    def _sign(self) -> str:
        if self.is_at_end:
            raise self.wrong("expected a comparison")
        text = self._tokens[self._next][1].upper()
        self._next += 1
        if text == "IS":
            return f"IS {'NOT ' if self._took('NOT') else ''}{self.word('NULL')}"
        if text == "NOT":
            return f"NOT {self.word('IN', 'LIKE', 'ILIKE')}"
        return "!=" if text == "<>" else text

    def _took(self, word: str) -> bool:
        is_there = not self.is_at_end and self._tokens[self._next][1].upper() == word
        self._next += is_there
        return is_there

    def _number(self) -> float:
        _, text, _ = self._take("number", "expected a number")
        try:
            return int(text)
        except ValueError:
            return float(text)

    def _quoted(self) -> str:
        if not self.is_at_end:
            kind, text, _ = self._tokens[self._next]
            if kind == "single" or (kind == "name" and _PART.fullmatch(text) and text[0] == '"'):
                self._next += 1
                return text[1:-1].replace(text[0] * 2, text[0])
        raise self.wrong("expected a text in quotes")

    def _texts(self) -> tuple[str, ...]:
        self.word("(")
        found = [self._quoted()]
        while self.word(",", ")") == ",":
            found.append(self._quoted())
        return tuple(found)

    def _take(self, kind: str, rule: str) -> tuple[str, str, int]:
        if self.is_at_end or self._tokens[self._next][0] != kind:
            raise self.wrong(rule)
        self._next += 1
        return self._tokens[self._next - 1]

    def _wrong_at(self, place: int, rule: str) -> InvalidValue:
        at = f"at character {place + 1}" if place < len(self._text) else "at the end"
        remedy = "Example: metrics.accuracy > 0.9 and params.kind = 'adam'."
        return InvalidValue(self._what, f"{at}: {rule}", given=self._text, remedy=remedy)


def _end(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _bare(part: str) -> str:
    if part[:1] == "`":
        return part[1:-1]
    return part[1:-1].replace('""', '"') if part[:1] == '"' else part
