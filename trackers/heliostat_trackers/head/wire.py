"""Writes, their outcomes and answers to reads, as bytes.

What travels stays inside one Ray cluster, whose members trust each other: Ray itself moves every call in this
form. A write arrives as plain values and Heliostat's own classes, so that the head node needs none of the
libraries (torch, …) whose numbers a worker may have put into it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.errors import InvalidValue, StorageError
from heliostat.writes import Reply, Write
from heliostat_trackers.columns import digest_of

CHUNK = 256
"""Objects of an answer that are packed in one go: packing holds Python's one lock and delays writers."""


@dataclass(frozen=True)
class Answer:
    """A read's result in packed parts: the slices of a list, or the one value."""

    parts: tuple[bytes, ...]
    is_list: bool = False
    is_error: bool = False


def packed_write(write: Write) -> bytes:
    """A write, to be undone by :func:`unpacked_write`; later changes of its mappings do not reach it.

    Raises:
        InvalidValue: Something in it has no stored form.
    """
    digest_of(write)
    into = io.BytesIO()
    try:
        _Packer(into, pickle.HIGHEST_PROTOCOL).dump(write)
    except (TypeError, ValueError, RecursionError, pickle.PicklingError) as error:
        rule = f"must hold texts, numbers, lists and mappings only ({error})"
        remedy = "Convert it, for instance with str() or float()."
        raise InvalidValue(type(write).__name__, rule, remedy=remedy) from None
    return into.getvalue()


def unpacked_write(data: bytes) -> Write:
    """What :func:`packed_write` was given."""
    write: Write = pickle.loads(data)
    return write


def packed_outcomes(outcomes: Sequence[Reply | Exception]) -> bytes:
    """Replies and refusals, one for each write of a batch."""
    try:
        return pickle.dumps(list(outcomes), pickle.HIGHEST_PROTOCOL)
    except Exception:  # some refusal holds what cannot travel; its text can
        return pickle.dumps([_travelling(outcome) for outcome in outcomes], pickle.HIGHEST_PROTOCOL)


def unpacked_outcomes(data: bytes) -> list[Reply | Exception]:
    """What :func:`packed_outcomes` was given."""
    outcomes: list[Reply | Exception] = pickle.loads(data)
    return outcomes


def packed_answer(value: Any) -> Answer:
    """A read's result, or the error that it raised."""
    if isinstance(value, Exception):
        return Answer((packed_outcomes([value]),), is_error=True)
    if not isinstance(value, list):
        return Answer((pickle.dumps(value, pickle.HIGHEST_PROTOCOL),))
    slices = (value[start : start + CHUNK] for start in range(0, len(value), CHUNK))
    return Answer(tuple(pickle.dumps(part, pickle.HIGHEST_PROTOCOL) for part in slices), is_list=True)


def unpacked_answer(answer: Answer) -> Any:
    """What :func:`packed_answer` was given; an error is raised."""
    if answer.is_error:
        raise pickle.loads(answer.parts[0])[0]
    if not answer.is_list:
        return pickle.loads(answer.parts[0])
    return [item for part in answer.parts for item in pickle.loads(part)]


class _Packer(pickle.Pickler):
    """Turns foreign numbers, mappings and lists into plain ones; refuses other foreign classes."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type):
            return NotImplemented  # by name
        if isinstance(value, Mapping):
            return dict, (dict(value),)
        if isinstance(value, (bytearray, memoryview)):
            return bytes, (bytes(value),)
        if hasattr(value, "tolist"):
            return _same, (value.tolist(),)
        if type(value).__module__.partition(".")[0] in ("builtins", "heliostat"):
            return NotImplemented  # functions by name, our values as they are
        for plain, read in _PLAIN:
            if isinstance(value, plain):
                return _same, (read(value),)
        raise TypeError(f"{type(value).__name__} has no JSON form")


# The value of an enumeration that is also a text is its text, whatever its own __str__ says.
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (list, list),
    (tuple, tuple),
)


def _same(value: Any) -> Any:
    return value


def _travelling(outcome: Reply | Exception) -> Reply | Exception:
    try:
        pickle.dumps(outcome)
    except Exception:
        text = f"the head node refused the write: {type(outcome).__name__}: {outcome}"
        return StorageError(text, remedy="See its text.", code="HS-STORAGE-035")
    return outcome
