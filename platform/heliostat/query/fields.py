"""What of a run can be asked about: its facts by name, and what it was given and gave back by family.

Names are those of SigOpt's v1 (``assignments.X``, ``values.X.value``, ``deleted``, ``completed``), and beside
them the words that Heliostat uses elsewhere (``params.X``, ``metrics.X``, ``archived``, ``ended``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.trial import Run, State

Read = Callable[[Run], Any]

PLAIN = re.compile(r"[^\s()=!<>,'\"]+")
"""A word that needs no quotes in the text form."""

VALUE, STDDEV = ".value", ".value_stddev"


@dataclass(frozen=True)
class Field:
    """Something that can be asked about.

    Args:
        name: Canonical name, as on the wire.
        label: As columns are called: ``params.lr``, ``metrics.loss``, ``archived``.
        kind: What it holds: ``identity``, ``number``, ``time``, ``text``, ``state``, ``flag``, ``set`` or
            ``free`` (anything).
        needs: The attributes of a run that `read` looks at.
        read: Its value in a run, ``None`` if missing.
        is_filled: Whether `read` gives the one attribute in `needs`, and ``None`` for an empty one.
    """

    name: str
    label: str
    kind: str
    needs: frozenset[str]
    read: Read = member(repr=False, compare=False)
    is_filled: bool = False

    def read_all(self, runs: Iterable[Run]) -> list[Any]:
        """Its values in many runs, much faster than run by run."""
        if not self.is_filled:
            return list(map(self.read, runs))
        (attribute,) = self.needs
        return [value or None for value in map(attrgetter(attribute), runs)]

    def __str__(self) -> str:
        family, dot, key = self.label.partition(".")
        if not dot or self.kind not in ("free", "number"):
            return self.label
        if family != "metrics":
            return self.label if PLAIN.fullmatch(key) else f"{family}.{quoted(key)}"
        suffix = ".stddev" if self.name.endswith(STDDEV) else ""
        metric = key.removesuffix(suffix)
        is_plain = PLAIN.fullmatch(metric) and not metric.endswith((VALUE, STDDEV, ".stddev"))
        return f"metrics.{metric if is_plain else quoted(metric)}{suffix}"


def quoted(text: str) -> str:
    """A text in quotes, as the text form reads it."""
    return "'" + text.replace("'", "''") + "'"


def _filled(name: str, attribute: str = "", label: str = "") -> Field:
    attribute = attribute or name
    read = attrgetter(attribute)
    needs = frozenset((attribute,))
    return Field(name, label or name, "text", needs, lambda run: read(run) or None, is_filled=True)


def _seconds(run: Run) -> float | None:
    return None if run.started is None or run.ended is None else run.ended - run.started


def _fact(name: str, kind: str, read: Read, *needs: str, label: str = "") -> Field:
    return Field(name, label or name, kind, frozenset(needs or (name,)), read)


_FACTS = {
    item.name: item
    for item in (
        _fact("id", "identity", attrgetter("id")),
        _fact("experiment", "identity", attrgetter("experiment")),
        _filled("project"),
        _fact("number", "number", lambda run: run.number or None),
        _filled("name"),
        _fact("state", "state", lambda run: run.state.value),
        _filled("origin"),
        _filled("searcher"),
        _fact("task", "text", attrgetter("task")),
        _filled("user"),
        _fact("attempt", "number", attrgetter("attempt")),
        _fact("created", "time", attrgetter("created")),
        _fact("updated", "time", attrgetter("updated")),
        _fact("started", "time", attrgetter("started")),
        _fact("completed", "time", attrgetter("ended"), "ended", label="ended"),
        _fact("seconds", "number", _seconds, "started", "ended"),
        _filled("end_reason"),
        _fact("failure", "text", lambda run: None if run.failure is None else run.failure.kind),
        _fact("favorite", "flag", attrgetter("favorite")),
        _fact("deleted", "flag", attrgetter("archived"), "archived", label="archived"),
        _filled("model.type", "model", "model"),
        _filled("source_code.hash", "source_hash", "source_hash"),
        _filled("note"),
        _fact("tags", "set", attrgetter("tags")),
        _fact("datasets", "set", attrgetter("datasets")),
    )
}
_ALIASES = {
    "archived": "deleted",
    "dataset": "datasets",
    "ended": "completed",
    "finished": "completed",
    "model": "model.type",
    "source_hash": "source_code.hash",
    "tag": "tags",
}
_FAMILIES = {"params": "assignments", "metrics": "values"}
KNOWN = (
    *sorted(item.label for item in _FACTS.values()),
    "params.X",
    "metrics.X",
    "metrics.X.stddev",
    "metadata.X",
    "dev_metadata.X",
    "late.ROLE.METRIC",
)


@lru_cache(maxsize=4096)
def field(name: str) -> Field:
    """The field of a name, by wire or by word.

    Raises:
        InvalidValue: There is none of that name.
    """
    fact = _FACTS.get(_ALIASES.get(name, name))
    if fact is not None:
        return fact
    family, _, key = name.partition(".")
    make = _MAKERS.get(_FAMILIES.get(family, family))
    if make is None or not key:
        rule = "a field must be one that runs have"
        raise InvalidValue("field", rule, given=name, remedy=f"Known fields: {', '.join(KNOWN)}.")
    if family == "metrics" and key.endswith(".stddev"):
        key = key.removesuffix(".stddev") + STDDEV
    return make(key)


def wanted_value(of: Field, value: Any) -> Any:
    """The value that a field of this kind is compared with.

    Raises:
        InvalidValue: The field never holds such a value.
    """
    if isinstance(value, float) and math.isnan(value):
        remedy = "Write: is not missing and not (FIELD >= -inf)."
        raise InvalidValue(of.label, "NaN equals nothing, itself included", given=value, remedy=remedy)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if of.kind == "identity":
        return _identity(of, value)
    if of.kind == "time" and isinstance(value, str):
        return _moment(of, value)
    if of.kind == "state" and value not in [state.value for state in State]:
        states = ", ".join(state.value for state in State)
        raise InvalidValue(of.label, f"must be one of {states}", given=value, remedy="Correct the spelling.")
    if of.kind in ("number", "time") and not is_number:
        raise InvalidValue(of.label, "is a number", given=value, remedy="Compare it with a number.")
    if of.kind in ("text", "set") and not isinstance(value, str):
        raise InvalidValue(of.label, "is a text", given=value, remedy="Compare it with a text.")
    if of.kind == "flag" and not isinstance(value, bool):
        raise InvalidValue(of.label, "is true or false", given=value, remedy=f"Write {of.label} = true.")
    if of.kind == "free" and not isinstance(value, (bool, int, float, str)):
        rule = "can be compared with a text, a number, true or false"
        raise InvalidValue(of.label, rule, given=value, remedy="To find missing values ask for isnull.")
    return str(value) if of.kind == "state" else value


def _identity(of: Field, value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(of.label, "is a whole number", given=value, remedy="Take it from: heliostat ls.")
    return value


def _moment(of: Field, text: str) -> float:
    try:
        return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text).timestamp()
    except (ValueError, OverflowError, OSError):
        rule, remedy = "is a time", "Write 2030-12-31, 2030-12-31T23:59, or seconds since 1970."
        raise InvalidValue(of.label, rule, given=text, remedy=remedy) from None


def _assignment(key: str) -> Field:
    return Field(
        f"assignments.{key}",
        f"params.{key}",
        "free",
        frozenset(("assignments",)),
        lambda run: run.assignments.get(key),
    )


def _value(key: str) -> Field:
    is_stddev = key.endswith(STDDEV)
    metric = key.removesuffix(STDDEV) if is_stddev else key.removesuffix(VALUE)
    if not metric:
        raise InvalidValue("field", "a metric must have a name", given=f"values.{key}")

    def read(run: Run) -> float | None:
        found = run.values.get(metric)
        return None if found is None else found.stddev if is_stddev else found.value

    label = f"metrics.{metric}{'.stddev' if is_stddev else ''}"
    name = f"values.{metric}{STDDEV if is_stddev else VALUE}"
    return Field(name, label, "number", frozenset(("values",)), read)


def _free_fact(family: str) -> Callable[[str], Field]:
    def make(key: str) -> Field:
        name = f"{family}.{key}"
        return Field(name, name, "free", frozenset((family,)), lambda run: _found(getattr(run, family), key))

    return make


def _found(facts: Mapping[str, Any], key: str) -> Any:
    """The fact of a key; a key with dots that is not there itself leads into mappings."""
    if key in facts or "." not in key:
        return facts.get(key)
    here: Any = facts
    for part in key.split("."):
        if not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here


def _late(key: str) -> Field:
    name = f"late.{key}"

    def read(run: Run) -> float | None:
        for role, metrics in run.late.items():
            if key.startswith(f"{role}.") and metrics.get(key[len(role) + 1 :]):
                return metrics[key[len(role) + 1 :]][-1].value
        return None

    return Field(name, name, "number", frozenset(("late",)), read)


_MAKERS: Mapping[str, Callable[[str], Field]] = {
    "assignments": _assignment,
    "values": _value,
    "metadata": _free_fact("metadata"),
    "dev_metadata": _free_fact("dev_metadata"),
    "late": _late,
}
