"""What the JSON columns hold, and back.

The texts are strict JSON, which knows no NaN and no infinity. Where a column holds numbers by definition
(measurements, predictions) these are the texts ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; in free values a
text must stay a text, so there they are ``{"$float": "NaN"}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec

from heliostat.errors import InvalidValue
from heliostat.trial import Checkpoint, Failure, Measurement, Prediction
from heliostat.writes import AddFile, FreezeReport, LogCheckpoints, Write

_FLOAT = "$float"
_MARK = '{"$float":'
# A text in the data cannot look like the mark: JSON escapes its quotes.

_TEXT = frozenset((str,))
_FLAT = frozenset((str, float, int, bool, type(None)))

_REQUIRED = object()
_NOT_CONTENT = frozenset(("key", "time", "epoch"))


def _plain(value: Any) -> Any:
    """JSON's form of what :mod:`json` does not know: mappings, numpy's scalars and arrays."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _declared(value: Any) -> Any:
    return vars(value) if is_dataclass(value) and not isinstance(value, type) else _plain(value)


# What contains itself ends in a RecursionError: to look for it beforehand takes a tenth of the time.
_encode = json.JSONEncoder(
    separators=(",", ":"), check_circular=False, allow_nan=False, default=_plain
).encode
_canonical_slowly = json.JSONEncoder(
    separators=(",", ":"), check_circular=False, sort_keys=True, default=_declared
).encode

# Three to four times as fast as json, and its equal for what they are used for.
_canonical = msgspec.json.Encoder(order="sorted", enc_hook=_declared).encode
_decode = msgspec.json.Decoder().decode
_decode_values = msgspec.json.Decoder(list[dict[str, Measurement]], strict=False).decode
_encode_plainly = msgspec.json.Encoder().encode
_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What these raise on a text with a lone surrogate, an integer beyond 64 bits, a number's subclass."""


def digest_of(write: Write) -> str:
    """A fingerprint of a write's content.

    Key, times of reporting and epoch are left out: a request that is sent again later, or by the successor of
    a dead driver, is the same request. So are fields at their defaults: a later version with more fields
    sends the same request.

    Raises:
        InvalidValue: Something in the write has no JSON form.
    """
    made_of: Any = type(write)
    usual = _usual(made_of)
    content = {
        name: value
        for name, value in vars(write).items()
        if name not in _NOT_CONTENT and not _is_usual(value, usual.get(name, _REQUIRED))
    }
    kind = made_of.__name__
    if isinstance(write, AddFile):
        content["content"] = blake2b(bytes(write.content), digest_size=16).hexdigest()
    elif isinstance(write, FreezeReport):  # asked for again, the page is one of another moment
        del content["content"]
    elif isinstance(write, LogCheckpoints):  # when each was reported is no more content than the write's time
        content["checkpoints"] = [_undated(point) for point in write.checkpoints]
    return blake2b(_canonical_text([kind, content]), digest_size=16).hexdigest()


def _undated(point: Any) -> Any:
    return (point.step, point.values) if isinstance(point, Checkpoint) else point


def _canonical_text(request: list[Any]) -> bytes:
    """The same for equal requests; which of the two ways is taken depends on nothing else."""
    try:
        return _canonical(request)
    except _UNENCODABLE:
        pass
    try:
        return _canonical_slowly(request).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(request[0], error) from None


@cache
def _usual(kind: Any) -> dict[str, Any]:
    return {
        item.name: {} if item.default_factory is dict else item.default
        for item in fields(kind)
        if item.default is not MISSING or item.default_factory is dict
    }


def _is_usual(value: Any, usual: Any) -> bool:
    return value is usual or (type(value) is type(usual) and bool(value == usual))


def free_text(value: Any, field: str) -> str:
    """Strict JSON of free values; keys become texts, tuples become lists.

    Raises:
        InvalidValue: Something in it has no JSON form, or uses the reserved key.
    """
    if _is_flat(value):
        return _flat_text(value, field)
    return _any_text(value, field)


def _is_flat(value: Any) -> bool:
    """Whether it is what nearly everybody logs: texts, numbers and flags by name."""
    return (
        type(value) is dict
        and _TEXT.issuperset(map(type, value))
        and _FLAT.issuperset(map(type, value.values()))
    )


def _flat_text(value: Any, field: str) -> str:
    try:
        text = _encode_plainly(value).decode()
    except _UNENCODABLE:
        return _any_text(value, field)
    is_doubtful = "null" in text or _MARK in text  # NaN has become null
    return _any_text(value, field) if is_doubtful else text


def _any_text(value: Any, field: str) -> str:
    try:
        text = _encode(value)
    except ValueError:  # NaN or infinity somewhere: only then is the slow way needed
        return _marked_text(value, field)
    except (TypeError, RecursionError) as error:
        raise _unwritable(field, error) from None
    if _MARK in text:
        raise _reserved(field)
    return text


def plain_text(value: Mapping[str, Any]) -> str:
    """:func:`free_text` of a mapping of our own making: of texts, whole numbers, flags and lists of them."""
    try:
        text = _encode_plainly(value).decode()
    except _UNENCODABLE:
        return free_text(value, "facts")
    return free_text(value, "facts") if "null" in text else text  # what NaN would have become


def free_value(text: str) -> Any:
    """What :func:`free_text` was given."""
    return json.loads(text, object_hook=_unmarked) if _MARK in text else json.loads(text)


def free_values(texts: Sequence[str]) -> list[Any]:
    """What :func:`free_text` was given, of many texts at once."""
    if texts.count("{}") == len(texts):
        return [{} for _ in texts]
    whole = f"[{','.join(texts)}]"
    if _MARK in whole:
        found: list[Any] = json.loads(whole, object_hook=_unmarked)
        return found
    try:
        found = _decode(whole)
    except msgspec.DecodeError:  # a lone surrogate, which is no text to it
        found = json.loads(whole)
    return found


def numbers_text(
    values: Mapping[str, Measurement | None] | Mapping[str, Measurement] | Mapping[str, Prediction],
    before: str = "{}",
) -> str:
    """Strict JSON of measurements or predictions by metric, merged over an earlier text; ``None`` removes."""
    if not values:
        return before
    merged = {} if before == "{}" else json.loads(before)
    for name, item in values.items():
        if item is None:
            merged.pop(name, None)
            continue
        fields = vars(item).items()
        merged[name] = {key: _number(value) for key, value in fields if value is not None}
    return plain_text(merged)


def measurements(text: str) -> dict[str, Measurement]:
    """Measurements by metric from :func:`numbers_text`."""
    return all_measurements([text])[0]


def all_measurements(texts: Sequence[str]) -> list[dict[str, Measurement]]:
    """Measurements by metric from :func:`numbers_text`, of many texts at once."""
    whole = f"[{','.join(texts)}]"
    try:
        found: list[dict[str, Measurement]] = _decode_values(whole)
    except msgspec.DecodeError:  # a metric's name with a lone surrogate
        return [
            {name: msgspec.convert(item, Measurement, strict=False) for name, item in values.items()}
            for values in json.loads(whole)
        ]
    return found


def predictions(text: str) -> dict[str, Prediction]:
    """Predictions by metric from :func:`numbers_text`."""
    if text == "{}":
        return {}
    return {
        name: Prediction(float(item["mean"]), float(item["stddev"]))
        for name, item in json.loads(text).items()
    }


def merged_text(changes: Mapping[str, Any], before: str = "{}", field: str = "metadata") -> str:
    """Free values by key with changes laid over them; ``None`` removes a key."""
    if not changes:
        return before
    merged = {**free_value(before), **changes} if before != "{}" else changes
    return free_text({key: value for key, value in merged.items() if value is not None}, field)


def tags_text(changes: Mapping[str, bool], before: str) -> str:
    """The sorted tags after some were put on and some were taken off."""
    names = set(json.loads(before)) | {name for name, is_on in changes.items() if is_on}
    return _encode(sorted(names - {name for name, is_on in changes.items() if not is_on}))


def failure_text(failure: Failure | None) -> str | None:
    """Strict JSON of a failure."""
    return None if failure is None else _encode(vars(failure))


def failure_value(text: str | None) -> Failure | None:
    """The failure that :func:`failure_text` was given."""
    return None if text is None else Failure(**json.loads(text))


def _number(value: Any) -> float | str:
    real = float(value)
    if math.isfinite(real):
        return real
    return "NaN" if math.isnan(real) else "Infinity" if real > 0 else "-Infinity"


def _marked_text(value: Any, field: str) -> str:
    try:
        return _encode(_marked(value, field))
    except (TypeError, ValueError, RecursionError) as error:
        raise _unwritable(field, error) from None


def _marked(value: Any, field: str) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: _number(value)}
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        if next(iter(value), None) == _FLOAT:
            raise _reserved(field)
        return {key: _marked(item, field) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_marked(item, field) for item in value]
    return _marked(_plain(value), field)


def _unmarked(data: dict[str, Any]) -> Any:
    return float(data[_FLOAT]) if len(data) == 1 and _FLOAT in data else data


def _unwritable(field: str, error: Exception) -> InvalidValue:
    rule = f"must hold texts, numbers, lists and mappings only ({error})"
    return InvalidValue(field, rule, remedy="Convert it, for instance with str() or float().")


def _reserved(field: str) -> InvalidValue:
    return InvalidValue(field, f"the key {_FLOAT!r} is reserved", remedy="Rename the key.")
