"""Pages of objects on the wire: newest first, ``before`` leads to older ones, ``after`` back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import Request

from heliostat.errors import InvalidValue
from heliostat.service.calls import Call
from heliostat.service.strict_json import read_json

Item = TypeVar("Item")


def page(
    items: Sequence[Item],
    call: Call,
    write: Callable[[Item], Mapping[str, Any]],
    *,
    oldest_first: bool = True,
) -> dict[str, Any]:
    """The page that a call asks for of items that are at hand, each with an integer ``id``.

    Args:
        items: By growing id.
        call: Its query may hold ``limit``, ``before``, ``after`` and ``fields``.
        write: An item's object; called for the page's items only.
        oldest_first: Whether `items` come by growing id; if not, they are shown as they come.

    Raises:
        InvalidValue: A limit or cursor that is none.
    """
    shown = list(reversed(items)) if oldest_first else list(items)
    limit, (before, after) = limit_of(call), cursors_of(call)
    ids = [getattr(item, "id") for item in shown]  # noqa: B009  # any record of the log has one
    start, stop = 0, min(limit, len(shown))
    if before is not None:
        start = _place(ids, before, "before") + 1
        stop = min(start + limit, len(shown))
    elif after is not None:
        stop = _place(ids, after, "after")
        start = max(0, stop - limit)
    cut = shown[start:stop]
    older = str(ids[stop - 1]) if cut and stop < len(shown) else None
    newer = str(ids[start]) if cut and start > 0 else None
    return page_object([write(item) for item in cut], len(shown), older, newer, fields_of(call.request))


def page_object(
    data: Iterable[Mapping[str, Any]],
    count: int,
    before: str | None,
    after: str | None,
    fields: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A page of objects.

    Args:
        data: The objects.
        count: How many there are in all.
        before: Cursor to older ones.
        after: Cursor to newer ones.
        fields: The only keys to keep.
    """
    return {
        "object": "pagination",
        "count": count,
        "data": [picked(item, fields) for item in data],
        "paging": {"before": before, "after": after},
    }


def limit_of(call: Call) -> int:
    """The most objects on the page.

    Raises:
        InvalidValue: It is no number from 0 to the service's limit.
    """
    text = call.request.query_params.get("limit")
    if text in (None, ""):
        return call.settings.page
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= call.settings.page):
        rule = f"must be a number from 0 to {call.settings.page}"
        raise InvalidValue("limit", rule, given=text, remedy="Follow the page's cursors for more.")
    return int(text)


def cursors_of(call: Call) -> tuple[str | None, str | None]:
    """The cursors ``before`` and ``after``, of which at most one is given.

    Raises:
        InvalidValue: Both are.
    """
    before = call.request.query_params.get("before") or None
    after = call.request.query_params.get("after") or None
    if before is not None and after is not None:
        raise InvalidValue("before", "a page has one cursor", remedy="Leave out before or after.")
    return before, after


def flag_of(call: Call, name: str, *, usual: bool = False) -> bool:
    """A truth value in the query; the official client writes Python's ``True`` and ``False``.

    Raises:
        InvalidValue: It is none.
    """
    text = call.request.query_params.get(name)
    if text in (None, ""):
        return usual
    if text.lower() not in ("true", "false", "1", "0"):
        raise InvalidValue(name, "must be true or false", given=text)
    return text.lower() in ("true", "1")


def fields_of(request: Request) -> tuple[str, ...] | None:
    """The only keys that the caller wants of each object: a JSON list, or names between commas."""
    return read_fields(request.query_params.get("fields"))


def read_fields(given: Any) -> tuple[str, ...] | None:
    """Names of keys from a JSON list, its text, or a text with commas; ``None`` for all.

    Raises:
        InvalidValue: It is something else.
    """
    if given in (None, ""):
        return None
    if isinstance(given, str) and given.lstrip().startswith("["):
        given = read_json(given.encode())
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidValue("fields", "must be a list of names", given=given, remedy="Write id,name,state.")
    return tuple(names)


def picked(item: Mapping[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """An object with only these keys."""
    return dict(item) if fields is None else {name: item[name] for name in fields if name in item}


def _place(ids: Sequence[int], cursor: str, name: str) -> int:
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 19:
        id = int(cursor)
        for place, found in enumerate(ids):
            if found == id:
                return place
            if found < id:  # it has gone since: its neighbor marks the place
                return place - 1 if name == "before" else place
        return len(ids) - 1 if name == "before" else len(ids)
    raise InvalidValue(name, "must be a cursor that a page gave", given=cursor)
