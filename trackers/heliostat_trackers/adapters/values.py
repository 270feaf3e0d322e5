"""Other libraries' parameters and facts in forms that the log keeps."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

from heliostat.space import Value

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 300
_short.maxlist = _short.maxtuple = _short.maxdict = 30
_short.maxlevel = 4


def plain_params(params: Mapping[str, Any]) -> dict[str, Value]:
    """Parameters as numbers and texts; nested ones are joined by ``/``.

    Numbers, texts and truth values stay what they are. Anything else (``None``, a tuple of layer sizes, an
    estimator) is a choice that people recognize by its text.
    """
    return dict(_flat(params, ""))


def plain_value(value: Any) -> Value:
    """One parameter."""
    if isinstance(value, (str, int, float)):
        return value.item() if hasattr(value, "item") else value  # NumPy's floats are Python's, but not quite
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return plain_value(value.item())
    return _short.repr(value)


def plain_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata that has a JSON form; other values as texts, ``None`` left out."""
    return {str(key): _plain(value) for key, value in facts.items() if value is not None}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return plain_value(value)


def _flat(params: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value]]:
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", plain_value(value)
