"""The OpenAPI document: bodies by example, one form of error, how tokens go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from heliostat.service.reply_schemas import components, reply_content

_TYPES: Mapping[type, str] = {
    bool: "boolean", int: "number", float: "number", str: "string", dict: "object", list: "array",
}  # fmt: skip
_STATUSES = {
    "400": "A field breaks a rule; the message names it.",
    "401": "No valid token.",
    "403": "The token may not do this.",
    "404": "There is no such thing, or not for this token.",
    "409": "Something stands in the way: a name that is taken, a run that has ended.",
    "413": "The body is too long.",
    "415": "The body is no JSON.",
    "422": "What is named in the body is not there, or cannot be computed.",
    "429": "Too many calls; come back after Retry-After seconds.",
    "503": "The run log or a steward does not answer now; come back after Retry-After seconds.",
}
ERROR = {
    "type": "object",
    "required": ["message", "status"],
    "properties": {
        "message": {
            "type": "string",
            "example": "values.m.value: must be a number, got 'high'. [HS-VALUE-001]",
        },
        "status": {"type": "integer", "example": 400},
        "code": {"type": "string", "example": "HS-VALUE-001"},
        "field": {"type": "string", "example": "values.m.value"},
        "token_status": {"type": "string", "enum": ["revoked", "expired", "invalid_permissions"]},
    },
}
"""Every error's body."""


def takes(example: Mapping[str, Any], *, required: Sequence[str] = ()) -> dict[str, Any]:
    """For a route's ``openapi_extra``: its body is an object like this one.

    Args:
        example: A body with every field that the route knows.
        required: Fields that must be there.
    """
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {name: _field(value) for name, value in example.items()},
    }
    if not required:
        del schema["required"]
    content = {"application/json": {"schema": schema, "example": dict(example)}}
    return {"requestBody": {"required": bool(required), "content": content}}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application; made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {
        "basic": {"type": "http", "scheme": "basic", "description": "The token as user, no password."},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
    parts.setdefault("schemas", {}).update({"Error": ERROR, **components()})
    found["security"] = [{"basic": []}, {"bearer": []}]
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for path, operations in found["paths"].items():
        for verb, operation in operations.items():
            replies = operation.setdefault("responses", {})
            replies.pop("422", None)  # FastAPI's own form of errors, which is not ours
            content = reply_content(verb, path)
            replies["200"] = {"description": "Done.", **({} if content is None else {"content": content})}
            replies["204"] = {"description": "Done, and the call asked for no content back."}
            for status, text in _STATUSES.items():
                replies[status] = {"description": text, "content": refused}
    parts["schemas"] = {k: v for k, v in parts["schemas"].items() if "ValidationError" not in k}
    app.openapi_schema = found
    return found


def _field(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    return {"type": [_TYPES[type(value)], "null"], "example": value}
