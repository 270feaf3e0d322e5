"""Filters as SigOpt's v1 sends them: a JSON list of ``{"field", "operator", "value"}``; all must hold."""

from __future__ import annotations

import json
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue, Unsupported
from heliostat.query.conditions import And, Condition, Filter


def read_filters(data: Any, where: str = "filters") -> And:
    """The condition of a list of filters, or of its JSON text.

    Raises:
        InvalidValue: It is no such list; the error names the item.
    """
    if isinstance(data, (str, bytes)):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            remedy = 'Write [{"field": "state", "operator": "==", "value": "completed"}].'
            raise InvalidValue(where, "must be a JSON list", given=data, remedy=remedy) from None
    found = enumerate(schema.items(data, where))
    return And(tuple(_filter(item, f"{where}[{place}]") for place, item in found))


def write_filters(condition: Condition) -> list[dict[str, Any]]:
    """The list of filters of a condition.

    Raises:
        Unsupported: The wire has no form for alternatives and negations.
    """
    if isinstance(condition, Filter):
        return [{"field": condition.field, "operator": condition.operator, "value": _plain(condition.value)}]
    if isinstance(condition, And):
        return [item for inner in condition.conditions for item in write_filters(inner)]
    rule = f"the wire's filters all have to hold and cannot say {str(condition)!r}"
    raise Unsupported(rule, remedy="Send several queries, or use the text form.")


def _plain(value: Any) -> Any:
    if value in (float("inf"), float("-inf")):
        rule, remedy = "the wire has no infinite numbers", "Use the text form."
        raise Unsupported(rule, remedy=remedy)
    return value


def _filter(item: Any, where: str) -> Filter:
    data = schema.mapping(item, where)
    schema.only_keys(data, where, ("field", "operator", "value"))
    name, operator = (schema.required(data, key, where) for key in ("field", "operator"))
    if not isinstance(name, str) or not isinstance(operator, str):
        raise InvalidValue(where, "field and operator must be texts", given=item)
    try:
        return Filter(name, operator, data.get("value"))
    except InvalidValue as error:
        rule = error.rule.removeprefix(f"{error.field}: ")
        given = f"{name} {operator} {data.get('value')!r}"
        raise InvalidValue(f"{where} ({error.field})", rule, given=given, remedy=error.remedy) from None
