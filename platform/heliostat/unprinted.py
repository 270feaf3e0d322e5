"""Declarations as the wire prints them, back in the form in which people write them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unprinted(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body as it would be had nobody printed it: no ``object``, no nulls within, categories by name."""
    found = dict(body)
    for key in ("parameters", "metrics", "conditionals", "linear_constraints", "tasks"):
        if isinstance(found.get(key), list):
            found[key] = [_plain(item) for item in found[key]]
    if isinstance(found.get("metadata"), Mapping):
        found["metadata"] = {key: item for key, item in found["metadata"].items() if item is not None}
    return found


def _plain(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    found = {key: value for key, value in item.items() if value is not None and key != "object"}
    for key in ("bounds", "prior"):
        if isinstance(found.get(key), Mapping):
            found[key] = _plain(found[key])
    if isinstance(found.get("terms"), list):
        found["terms"] = [_plain(term) for term in found["terms"]]
    for key in ("categorical_values", "values"):
        if isinstance(found.get(key), list):
            found[key] = [
                value["name"] if isinstance(value, Mapping) and "name" in value else value
                for value in found[key]
            ]
    return found
