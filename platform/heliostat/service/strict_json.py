"""JSON as the wire takes it: no NaN, no infinity, no duplicate key, no NUL, nothing that UTF-8 cannot say."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from heliostat.errors import InvalidValue

_REMEDY = "Send one JSON document in UTF-8."
_LONGEST_NUMBER = 400  # digits; Python's own bound for integers lies above, and floats need no more
_SUSPICIOUS = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|[0-9]{300}")


def read_json(content: bytes, *, depth: int = 32) -> Any:
    """The value of a JSON document.

    Args:
        content: The document.
        depth: Most levels of lists and objects within each other.

    Raises:
        InvalidValue: It is no such document.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidValue("body", "must be UTF-8", remedy=_REMEDY) from None
    try:
        value = _decoder.decode(text)
    except RecursionError:
        raise _too_deep(depth) from None
    except ValueError as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue("body", f"must be JSON ({error})", remedy=_REMEDY) from None
    _check_depth(value, depth)
    if _SUSPICIOUS.search(content) or b"\x00" in content:
        _check_texts(value, "body")
    return value


def write_json(value: Any) -> bytes:
    """A compact JSON document; numbers that JSON does not know are a mistake of ours.

    Raises:
        ValueError: NaN or infinity is in it.
    """
    return _encode(value).encode("utf-8", "replace")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidValue(key[:100], "occurs twice in its object", remedy="Send each key once.")
            seen.add(key)
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidValue("body", "numbers must be finite", given=text[:40], remedy="Leave it out.")
    return number


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise InvalidValue("body", f"numbers have at most {_LONGEST_NUMBER} digits", given=text[:40])
    return int(text)


def _constant(text: str) -> NoReturn:
    raise InvalidValue(
        "body", "numbers must be finite", given=text, remedy="JSON has no NaN and no infinity."
    )


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_float, parse_int=_int, parse_constant=_constant
)
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _check_depth(value: Any, depth: int) -> None:
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise _too_deep(depth)


def _too_deep(depth: int) -> InvalidValue:
    return InvalidValue("body", f"must not be nested deeper than {depth} levels", remedy="Flatten it.")


def _check_texts(value: Any, where: str) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidValue(where, "a text must not hold NUL")
        if any(0xD800 <= ord(char) < 0xE000 for char in value):
            raise InvalidValue(where, "a text must be valid Unicode", remedy="Send no lone surrogates.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key, where)
            _check_texts(item, f"{where}.{key}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_texts(item, f"{where}[{place}]")
