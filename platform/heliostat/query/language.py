"""The text form of conditions, for the command line and Python.

::

    state = completed and metrics.accuracy > 0.9 and params.kind in (adam, 'sgd') and not favorite

::

    either     := both { "or" both }
    both       := negation { "and" negation }
    negation   := "not" negation | "(" either ")" | comparison
    comparison := FIELD                                  a flag, or anything that may be true
                | FIELD ( "=" | "==" | "!=" | ">=" | ">" | "<=" | "<" ) VALUE
                | FIELD "is" [ "not" ] "missing"
                | FIELD [ "not" ] "in" "(" VALUE { "," VALUE } ")"
                | FIELD [ "not" ] "contains" VALUE

A word ends at white space and at ``( ) = ! < > , ' "``. Single or double quotes hold anything, a doubled
quote stands for itself; parts of a field's name may be quoted (``metadata."Dataset Rows"``). A value without
quotes is a number, ``true`` or ``false`` if it looks like one, else a text. ``not in`` and ``not contains``
are comparisons, which a missing value does not match; ``not (…)`` turns any answer round.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.query.conditions import KEYWORDS, NUMBER, And, Condition, Filter, Not, Or
from heliostat.query.fields import VALUE, Field, field

_SPACE = re.compile(r"\s*")
_SIGN = re.compile(r"==|!=|>=|<=|[=<>(),]")
_PART = re.compile(r"""(?P<plain>[^\s()=!<>,'"]+)|'(?P<single>(?:[^']|'')*)'|"(?P<double>(?:[^"]|"")*)\"""")
_SIGNS = ("=", "==", "!=", ">=", ">", "<=", "<")
_DEEPEST = 50
_LONGEST = 100_000


@dataclass(frozen=True)
class _Token:
    """A word with its parts, or a sign.

    Args:
        text: The word without quotes, or the sign.
        start: Place of its first character.
        end: Place after its last.
        quoted: Whether each part was in quotes; empty for signs.
    """

    text: str
    start: int
    end: int
    quoted: tuple[bool, ...] = ()

    @property
    def is_bare(self) -> bool:
        return bool(self.quoted) and not any(self.quoted)

    def is_word(self, *words: str) -> bool:
        return self.is_bare and self.text.lower() in words

    def is_sign(self, *signs: str) -> bool:
        return not self.quoted and self.text in signs


def read_where(text: str) -> Condition | None:
    """The condition of a text; ``None`` if the text is empty.

    Raises:
        InvalidValue: The text is not of this form; the error names the place and what may stand there.
    """
    reader = _Reader(text)
    if reader.is_at_end:
        return None
    condition = reader.either()
    if not reader.is_at_end:
        raise reader.wrong("expected 'and', 'or' or the end")
    return condition


def read_fields(text: str) -> list[Field]:
    """The fields of a list such as ``id, params.lr, metadata."Dataset Rows"``.

    Raises:
        InvalidValue: It is no such list, or a field is unknown.
    """
    reader = _Reader(text, "columns")
    found = [reader.field()]
    while not reader.is_at_end:
        reader.sign(",")
        found.append(reader.field())
    return found


class _Reader:
    """Reads tokens from the left; each method takes what it is named after, or raises."""

    def __init__(self, text: str, what: str = "where") -> None:
        if len(text) > _LONGEST:
            rule = f"a condition has at most {_LONGEST} characters"
            raise InvalidValue(what, rule, given=len(text), remedy="Split it into several queries.")
        self._text = text
        self._what = what
        self._tokens = self._split()
        self._next = 0
        self._depth = 0

    @property
    def is_at_end(self) -> bool:
        return self._next == len(self._tokens)

    def wrong(self, rule: str, remedy: str = "", token: _Token | None = None) -> InvalidValue:
        """The error about a token, by default the next one."""
        if token is None and not self.is_at_end:
            token = self._tokens[self._next]
        if token is None:
            place = "at the end"
        else:
            shown = self._text[token.start : token.end]
            place = f"at character {token.start + 1} ({shown if len(shown) < 40 else shown[:39] + '…'})"
        remedy = remedy or "Example: state = completed and metrics.accuracy > 0.9."
        return InvalidValue(self._what, f"{place}: {rule}", given=self._text, remedy=remedy)

    def either(self) -> Condition:
        found = self._several(self._both, "or")
        return found[0] if len(found) == 1 else Or(tuple(found))

    def field(self) -> Field:
        return self._field()[0]

    def sign(self, *signs: str) -> str:
        if self.is_at_end or not self._tokens[self._next].is_sign(*signs):
            raise self.wrong(f"expected {' or '.join(signs)}")
        return self._take().text

    def _both(self) -> Condition:
        found = self._several(self._negation, "and")
        return found[0] if len(found) == 1 else And(tuple(found))

    def _several(self, read: Callable[[], Condition], word: str) -> list[Condition]:
        found = [read()]
        while self._took_word(word):
            found.append(read())
        return found

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.wrong(f"conditions nest at most {_DEEPEST} deep")
        try:
            if self._took_word("not"):
                return Not(self._negation())
            if not self._took_sign("("):
                return self._comparison()
            inner = self.either()
            self.sign(")")
            return inner
        finally:
            self._depth -= 1

    def _comparison(self) -> Condition:
        about, token = self._field()
        if self._took_word("is"):
            is_missing = not self._took_word("not")
            self._word("missing")
            return self._filter(about, token, "isnull", is_missing)
        start = self._next
        is_negated = self._took_word("not")
        if self._took_word("in"):
            members = tuple(self._members(about, "!=" if is_negated else "=="))
            return And(members) if is_negated else Or(members)
        if self._took_word("contains"):
            found = self._compared(about, "contains")
            return And((Filter(about.name, "isnull", False), Not(found))) if is_negated else found
        self._next = start
        if not self.is_at_end and self._tokens[self._next].is_sign(*_SIGNS):
            sign = self._take().text
            return self._compared(about, "==" if sign == "=" else sign)
        if about.kind in ("flag", "free") and (self.is_at_end or self._stands_alone()):
            return self._filter(about, token, "==", True)
        raise self.wrong(f"expected {', '.join(_SIGNS)}, is, in or contains after {about.label}")

    def _stands_alone(self) -> bool:
        token = self._tokens[self._next]
        return token.is_word("and", "or") or token.is_sign(")")

    def _members(self, about: Field, operator: str) -> list[Condition]:
        self.sign("(")
        found = [self._compared(about, operator)]
        while self.sign(",", ")") == ",":
            found.append(self._compared(about, operator))
        return found

    def _compared(self, about: Field, operator: str) -> Condition:
        if self.is_at_end or not self._tokens[self._next].quoted:
            raise self.wrong("expected a value: a number, a word, a text in quotes, true or false")
        token = self._take()
        if token.is_word(*KEYWORDS):
            hint = "is missing" if token.is_word("missing") else f"= '{token.text}'"
            raise self.wrong("expected a value", f"Write: {about.label} {hint}.", token)
        return self._filter(about, token, operator, self._value(about, token))

    def _value(self, about: Field, token: _Token) -> Any:
        if not token.is_bare or about.kind in ("text", "set", "state"):
            return token.text
        if token.text.lower() in ("true", "false"):
            return token.text.lower() == "true"
        if token.text.lower() in ("nan", "+nan", "-nan"):
            return float("nan")
        if not NUMBER.fullmatch(token.text):
            return token.text
        try:
            return int(token.text)
        except ValueError:
            return float(token.text)

    def _filter(self, about: Field, token: _Token, operator: str, value: Any) -> Filter:
        try:
            return Filter(about.name, operator, value)
        except InvalidValue as error:
            raise self.wrong(error.rule, error.remedy, token) from None

    def _field(self) -> tuple[Field, _Token]:
        if self.is_at_end or not self._tokens[self._next].quoted or self._tokens[self._next].quoted[0]:
            raise self.wrong("expected a field, such as state, params.X, metrics.X or metadata.X")
        token = self._take()
        is_metric = token.text.startswith(("metrics.", "values."))
        try:
            # A quoted metric name is whole: what follows its last dot is no suffix.
            return field(token.text + VALUE if is_metric and token.quoted[-1] else token.text), token
        except InvalidValue as error:
            raise self.wrong(error.rule.removeprefix("field: "), error.remedy, token) from None

    def _word(self, word: str) -> None:
        if not self._took_word(word):
            raise self.wrong(f"expected {word!r}")

    def _took_word(self, word: str) -> bool:
        return self._took(lambda token: token.is_word(word))

    def _took_sign(self, sign: str) -> bool:
        return self._took(lambda token: token.is_sign(sign))

    def _took(self, is_wanted: Callable[[_Token], bool]) -> bool:
        if self.is_at_end or not is_wanted(self._tokens[self._next]):
            return False
        self._next += 1
        return True

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _split(self) -> list[_Token]:
        found: list[_Token] = []
        place = self._after_space(0)
        while place < len(self._text):
            sign = _SIGN.match(self._text, place)
            token = _Token(sign[0], place, sign.end()) if sign else self._split_word(place)
            found.append(token)
            place = self._after_space(token.end)
        return found

    def _split_word(self, start: int) -> _Token:
        parts: list[re.Match[str]] = []
        place = start
        while part := _PART.match(self._text, place):
            parts.append(part)
            place = part.end()
        rest, token = self._text[place : place + 2], _Token("", place, place + 1)
        if rest[:1] == "!" and rest != "!=":
            raise self.wrong("expected !=", "Write != for unequal, not for the opposite.", token)
        if rest[:1] in ("'", '"'):
            raise self.wrong("the quote is never closed", "Double one that belongs to the text.", token)
        text = "".join(_unquoted(part) for part in parts)
        return _Token(text, start, place, tuple(part["plain"] is None for part in parts))

    def _after_space(self, place: int) -> int:
        found = _SPACE.match(self._text, place)
        return found.end() if found else place


def _unquoted(part: re.Match[str]) -> str:
    if part["plain"] is not None:
        return part["plain"]
    if part["single"] is not None:
        return part["single"].replace("''", "'")
    return part["double"].replace('""', '"')
