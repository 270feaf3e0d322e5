"""Queries, and the pages that answer them.

A cursor holds the place of a run in the order, not a count: while runs are added, paging neither repeats nor
skips a run that was there. (A run whose value in the sorted field changes meanwhile moves in the order.)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from heliostat.errors import InvalidValue
from heliostat.query.conditions import Condition, filters_of, predicate
from heliostat.query.fields import field
from heliostat.query.meaning import Key, Kind, key_of, kind_of
from heliostat.trial import Run


@dataclass(frozen=True)
class RunQuery:
    """Which runs, in which order, and how many of them.

    Args:
        filters: What must hold.
        search: A part of the run's name, in any case.
        sort: Name of the field to sort by. Runs without it, or with NaN, come last in both directions; of
            equals the older comes first.
        ascending: The direction.
        limit: The most runs on a page; ``None`` for all.
        before: Cursor: the page ends before it.
        after: Cursor: the page begins after it.
        archived: Whether archived runs are among them. They are also if the filters ask about ``archived``.

    Raises:
        InvalidValue: An unknown field, a negative limit, two cursors, or a cursor of another query.
    """

    filters: Condition | None = None
    search: str = ""
    sort: str = "id"
    ascending: bool = True
    limit: int | None = None
    before: str | None = None
    after: str | None = None
    archived: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sort", field(self.sort).name)
        if self.limit is not None and self.limit < 0:
            raise InvalidValue("limit", "must not be negative", given=self.limit)
        if self.before is not None and self.after is not None:
            raise InvalidValue("before", "a page has one cursor", remedy="Leave out before or after.")
        if self.cursor is not None:
            _read_cursor(self, self.cursor)

    @property
    def cursor(self) -> str | None:
        """The cursor, whichever it is."""
        return self.after if self.before is None else self.before

    @property
    def needs(self) -> frozenset[str]:
        """The attributes of a run that :meth:`matcher` and :meth:`placer` look at."""
        found = {"id", "archived"} | field(self.sort).needs | ({"name"} if self.search else set())
        filters = filters_of(self.filters) if self.filters is not None else ()
        return frozenset(found.union(*(item.about.needs for item in filters)))

    @property
    def shows_archived(self) -> bool:
        """Whether archived runs may match."""
        asked = filters_of(self.filters) if self.filters is not None else ()
        return self.archived or any(item.field == "deleted" for item in asked)

    def matcher(self) -> Callable[[Run], bool]:
        """The function that tells whether a run is among them, wherever the page lies."""
        tests: list[Callable[[Run], bool]] = []
        part = self.search.casefold()
        if not self.shows_archived:
            tests.append(lambda run: not run.archived)
        if part:
            tests.append(lambda run: part in run.name.casefold())
        if self.filters is not None:
            tests.append(predicate(self.filters))
        return lambda run: all(test(run) for test in tests)

    def placer(self) -> Callable[[Run], Place]:
        """The function that gives a run's place in the order."""
        read = field(self.sort).read
        if field(self.sort).kind == "set":
            return lambda run: Place(key_of(", ".join(sorted(read(run))) or None), run.id)
        return lambda run: Place(key_of(read(run)), run.id)


class Place(NamedTuple):
    """Where a run is in an order: the key of its value, ``None`` if it has none, and its identity."""

    key: Key | None
    id: int


@dataclass(frozen=True)
class RunPage:
    """Runs in order.

    Args:
        runs: The runs of the page.
        count: How many match in all.
        before: Cursor of the page before this one, ``None`` if nothing precedes it.
        after: Cursor of the page after this one, ``None`` if nothing follows it.
    """

    runs: tuple[Run, ...]
    count: int
    before: str | None = None
    after: str | None = None


def answer(query: RunQuery, runs: Iterable[Run]) -> RunPage:
    """The page of runs that are at hand: what every store's answer must equal."""
    matches, place = query.matcher(), query.placer()
    found = {run.id: run for run in runs if matches(run)}
    ids, page = page_of(query, [place(run) for run in found.values()])
    return replace(page, runs=tuple(found[id] for id in ids))


def page_of(query: RunQuery, places: Sequence[Place]) -> tuple[list[int], RunPage]:
    """From the places of all that match: the identities of the page's runs, and the page without them."""
    ordered = sort_places(places, query.ascending)
    start, stop = _bounds(query, ordered)
    shown = ordered[start:stop]
    before = write_cursor(query, shown[0]) if shown and start > 0 else None
    after = write_cursor(query, shown[-1]) if shown and stop < len(ordered) else None
    return [place.id for place in shown], RunPage((), len(ordered), before, after)


def sort_places(places: Iterable[Place], ascending: bool) -> list[Place]:
    """Places in order: by key in the given direction, then by identity; those without a key last."""
    by_id = sorted(places, key=lambda place: place.id)
    present = [(place.key, place) for place in by_id if place.key is not None]
    present.sort(key=lambda pair: pair[0], reverse=not ascending)
    return [place for _, place in present] + [place for place in by_id if place.key is None]


def write_cursor(query: RunQuery, place: Place) -> str:
    """The cursor of a place in the query's order: opaque, safe in URLs."""
    text = json.dumps([query.sort, query.ascending, place.key, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _bounds(query: RunQuery, ordered: Sequence[Place]) -> tuple[int, int]:
    limit = len(ordered) if query.limit is None else query.limit
    if query.cursor is None:
        return 0, min(limit, len(ordered))
    mark = _read_cursor(query, query.cursor)
    ahead = sum(1 for place in ordered if _precedes(place, mark, query.ascending))
    if query.before is not None:
        return max(0, ahead - limit), ahead
    start = ahead + sum(1 for place in ordered[ahead : ahead + 1] if place.id == mark.id)
    return start, min(start + limit, len(ordered))


def _precedes(place: Place, mark: Place, ascending: bool) -> bool:
    if place.key == mark.key:
        return place.id < mark.id
    if place.key is None or mark.key is None:
        return mark.key is None
    return (place.key < mark.key) is ascending


def _read_cursor(query: RunQuery, text: str) -> Place:
    name = "after" if query.before is None else "before"
    remedy = "Pass a cursor that a page of the same sort and direction gave."
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        sort, ascending, key, id = found
        if (sort, ascending) == (query.sort, query.ascending) and type(id) is int:
            return Place(None if key is None else _read_key(key), id)
    except (ValueError, TypeError, RecursionError):
        pass
    raise InvalidValue(name, "must be a cursor of this query", given=text, remedy=remedy)


def _read_key(data: Sequence[Any]) -> Key:
    rank, value = data
    kind = Kind(rank)
    if kind_of(value) is not (Kind.TEXT if kind is Kind.OTHER else kind):
        raise ValueError("a key of another kind")
    return kind.value, value
