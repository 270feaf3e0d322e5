"""Replies of the service held against its OpenAPI document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from heliostat.service.reply_schemas import components, operations, reply_content

_JSON = "application/json"


def check_reply(verb: str, path: str, content: Any) -> None:
    """Raise AssertionError where a success is not what the document says of its operation.

    Args:
        verb: Of the call.
        path: With its query.
        content: The reply, as JSON.
    """
    found = _operation(verb.lower(), path.partition("?")[0])
    if found is None:
        return
    errors = sorted(_validator(*found).iter_errors(content), key=lambda error: error.json_path)
    told = "; ".join(f"{error.json_path}: {error.message[:300]}" for error in errors[:3])
    assert not errors, f"{verb} {path} is not as documented: {told}"


def _operation(verb: str, path: str) -> tuple[str, str] | None:
    """The documented operation of a call; the one with the fewest blanks, where several fit."""
    fitting = [
        template
        for template in operations(verb)
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    if not fitting:
        return None
    return verb, min(fitting, key=lambda template: template.count("{"))


@cache
def _validator(verb: str, path: str) -> Draft202012Validator:
    content = reply_content(verb, path) or {}
    return Draft202012Validator({**content[_JSON]["schema"], "components": {"schemas": components()}})
