"""Values of other programs in the forms that a run log keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from heliostat.space import Value

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
# No database keeps a NUL or half a surrogate pair in a text.


def text(value: Any) -> str:
    """`value` as a text that every log can keep; what it cannot becomes ``�``."""
    return _UNSTORABLE.sub("\ufffd", value if isinstance(value, str) else str(value))


def parameter(value: Any) -> Value:
    """A parameter's value: numbers and texts stay, ``None`` and everything else become texts."""
    plain = free(value)
    if isinstance(plain, (bool, int, float, str)):
        return plain
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (list, dict)) else str(plain)


def free(value: Any) -> Any:
    """A free value in its JSON form: mappings and lists with their items, numpy's scalars as numbers."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {text(key): free(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return free(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        return [free(item) for item in value]
    return text(value)


def facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Facts by key in their JSON form."""
    return {text(key): free(item) for key, item in values.items()}
