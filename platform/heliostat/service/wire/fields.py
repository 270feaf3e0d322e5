"""Reading what calls bring: every message names the field it is about."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.outcome import measurement
from heliostat.service.callers import hidden
from heliostat.service.calls import Call
from heliostat.service.redaction import redacted
from heliostat.tracking import given
from heliostat.trial import Measurement

MOST_KEYS = 10_000
"""Keys of one mapping, such as a run's assignments."""

_LARGEST_INT = 2**63 - 1


def id_of(text: str, what: str) -> int:
    """The identity in a path.

    Raises:
        NotFound: It is none, so that nothing has it.
    """
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise hidden(what, text[:100])


def project_of(call: Call, client: str, project: str) -> str:
    """The project in a path.

    Raises:
        NotFound: The team is another one.
        InvalidValue: No project can have this name.
    """
    check_client(call, client)
    return given.project(project)


def check_client(call: Call, client: str) -> None:
    """Refuse the path of another team.

    Raises:
        NotFound: There is one team only.
    """
    if client != call.settings.client:
        raise hidden("client", client[:100])


def scalar(value: Any, field: str) -> Any:
    """A number, a text, true or false; ``None`` stays, for keys that go.

    Raises:
        InvalidValue: It is something else, or larger than any number we keep.
    """
    if isinstance(value, str):
        return given.text(redacted(value), field)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST_INT:
            raise InvalidValue(field, "integers must fit 64 bits", given=value, remedy="Send a float.")
        return value
    rule = "must be a number, a text, true, false or null"
    raise InvalidValue(field, rule, given=type(value).__name__, remedy="Send nested facts one by one.")


def scalars(value: Any, field: str) -> dict[str, Any]:
    """Scalars by name; ``None`` is the empty mapping."""
    return {key: scalar(item, f"{field}.{key}") for key, item in named(value, field).items()}


def named(value: Any, field: str) -> dict[str, Any]:
    """A mapping whose keys are names; ``None`` is the empty mapping.

    Raises:
        InvalidValue: It is something else, or has too many keys.
    """
    found = schema.mapping(value if value is not None else {}, field)
    if len(found) > MOST_KEYS:
        raise InvalidValue(field, f"must have at most {MOST_KEYS} keys", given=len(found))
    return {given.name(key, f"{field} key"): item for key, item in found.items()}


def nested(value: Any, field: str) -> dict[str, Any]:
    """Objects by name without SigOpt's ``object`` keys; ``None`` instead of an object stays."""
    return {
        key: None if item is None else _object(item, f"{field}.{key}")
        for key, item in named(value, field).items()
    }


def evaluations(value: Any, field: str = "values") -> dict[str, Measurement | None]:
    """Measurements by metric from ``{metric: {"value", "value_stddev"}}``; ``None`` removes.

    Raises:
        InvalidValue: A value is no number, or its standard error is negative.
    """
    return {
        name: None if item is None else evaluation(item, f"{field}.{name}")
        for name, item in named(value, field).items()
    }


def evaluation(item: Any, field: str) -> Measurement:
    """A measurement from ``{"value", "value_stddev"}``, or from a bare number.

    Raises:
        InvalidValue: It is neither.
    """
    if not isinstance(item, Mapping):
        return measurement(item, f"{field}.value")
    schema.only_keys(item, field, ("object", "name", "value", "value_stddev"))
    stddev = item.get("value_stddev")
    value = item.get("value")
    return measurement(value if stddev is None else (value, stddev), f"{field}.value")


def evaluation_list(value: Any, field: str = "values") -> dict[str, Measurement]:
    """Measurements by metric from ``[{"name", "value", "value_stddev"}]``.

    Raises:
        InvalidValue: It is something else, or a name occurs twice.
    """
    found: dict[str, Measurement] = {}
    for place, item in enumerate(schema.items(value, field)):
        where = f"{field}[{place}]"
        data = schema.mapping(item, where)
        name = given.name(schema.required(data, "name", where), f"{where}.name")
        if name in found:
            raise InvalidValue(where, "each metric must occur once", given=name)
        found[name] = evaluation(data, where)
    return found


def text(value: Any, field: str, *, longest: int = given.LARGEST_TEXT) -> str:
    """A text with its secrets blacked out.

    Raises:
        InvalidValue: It is none, or too long.
    """
    if not isinstance(value, str):
        raise InvalidValue(field, "must be a text", given=type(value).__name__)
    if len(value) > longest:
        raise InvalidValue(field, f"must have at most {longest} characters", given=len(value))
    return redacted(value)


def now() -> float:
    """Seconds since the epoch, by this process's clock."""
    return time.time()


def _object(item: Any, field: str) -> dict[str, Any]:
    return {key: value for key, value in schema.mapping(item, field).items() if key != "object"}
