"""What is still to be done so that MLflow holds what it must: a function of the two."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from heliostat_trackers.mlflow.picture import (
    ATTEMPT,
    METADATA,
    NAMES,
    OWN,
    SEQ,
    DatasetUse,
    Names,
    Picture,
    Point,
)

PAPERS, FILES = "heliostat.papers", "heliostat.files"
ARCHIVED, SUPERSEDED, UNKEPT = "heliostat.archived", "heliostat.superseded", "heliostat.artifacts_error"

BOOKKEEPING = frozenset({SEQ, PAPERS, FILES, SUPERSEDED, UNKEPT})
"""Tags that the mirror keeps for itself."""

_CUTS = (250, 500, 6000)
"""Characters at which servers of different ages cut a param's value, without a word."""


@dataclass
class Seen:
    """What MLflow holds of a run, as far as is known.

    Args:
        id: MLflow's.
        status: One of MLflow's.
        end: Milliseconds since the epoch, or ``None``.
        is_deleted: Whether MLflow shows it as deleted.
        params: By name.
        tags: By name.
        latest: Each metric's latest point.
        points: Points that are certainly there; of a run that was found by search none are known.
        datasets: Name and digest of each.
    """

    id: str
    status: str = "RUNNING"
    end: int | None = None
    is_deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    latest: dict[str, Point] = field(default_factory=dict)
    points: set[Point] = field(default_factory=set)
    datasets: set[tuple[str, str]] = field(default_factory=set)

    def count(self, tag: str) -> int:
        """The number in a tag; -1 if there is none."""
        value = self.tags.get(tag, "")
        return int(value) if value.isdecimal() else -1

    @property
    def names(self) -> Names:
        """The names that were changed when it was mirrored."""
        found = _parsed(self.tags.get(NAMES, ""))
        return found if isinstance(found, dict) else {}

    @property
    def is_ours_to_restore(self) -> bool:
        """Whether it was the mirror that deleted it, not somebody in MLflow."""
        return self.is_deleted and ARCHIVED in self.tags


@dataclass(frozen=True)
class Change:
    """What is to be written.

    Args:
        params: New ones.
        points: New ones.
        tags: New or changed.
        dropped: Tags to remove.
        datasets: New ones.
        ending: Status and end, if they differ.
    """

    params: Mapping[str, str]
    points: tuple[Point, ...]
    tags: Mapping[str, str]
    dropped: tuple[str, ...]
    datasets: tuple[DatasetUse, ...]
    ending: tuple[str, int | None] | None


def must_replace(wanted: Picture, seen: Seen) -> bool:
    """Whether MLflow's run cannot become the wanted one: MLflow changes no params and removes no points."""
    if any(not _is_same_param(value, wanted.params.get(key)) for key, value in seen.params.items()):
        return True
    return bool(seen.latest) and seen.tags.get(ATTEMPT, str(wanted.attempt)) != str(wanted.attempt)


def difference(wanted: Picture, seen: Seen, bookkeeping: Mapping[str, str]) -> Change:
    """What must be written so that `seen` becomes `wanted`.

    Args:
        wanted: What MLflow must hold.
        seen: What it holds.
        bookkeeping: Tags of the mirror's own that have changed.
    """
    points = [point for point in wanted.points if point not in seen.points]
    finals = _needed_finals(wanted.finals, points, seen.latest)
    own = _parsed(seen.tags.get(METADATA, ""))
    changed = {key: value for key, value in wanted.tags.items() if seen.tags.get(key) != value}
    removable = {key for key in seen.tags if key.startswith(OWN)} - BOOKKEEPING
    removable |= set(own if isinstance(own, list) else ()) & set(seen.tags)
    if PAPERS in bookkeeping:
        removable |= {UNKEPT} & set(seen.tags)
    has_ended = seen.status == wanted.status and (wanted.end is None or seen.end == wanted.end)
    return Change(
        params={key: value for key, value in wanted.params.items() if key not in seen.params},
        points=(*points, *finals),
        tags={**changed, **bookkeeping},
        dropped=tuple(sorted(removable - wanted.tags.keys() - bookkeeping.keys())),
        datasets=tuple(use for use in wanted.datasets if (use.name, use.digest) not in seen.datasets),
        ending=None if has_ended else (wanted.status, wanted.end),
    )


def later(points: Iterable[Point], latest: Mapping[str, Point]) -> dict[str, Point]:
    """Each metric's latest point, as MLflow chooses it: by step, then time, then value."""
    found = dict(latest)
    for point in points:
        before = found.get(point.key)
        if before is None or _age(point) > _age(before):
            found[point.key] = point
    return found


def _needed_finals(
    finals: Iterable[Point], points: Iterable[Point], latest: Mapping[str, Point]
) -> list[Point]:
    shown = later(points, latest)
    needed = []
    for final in finals:
        before = shown.get(final.key)
        if before is None:
            needed.append(final)
        elif before.value != final.value:
            # Placed after what MLflow would show instead.
            step = max(final.step, before.step)
            time = max(final.time, before.time + 1) if step == before.step else final.time
            needed.append(final._replace(step=step, time=time))
    return needed


def _age(point: Point) -> tuple[int, int, float]:
    return point.step, point.time, point.value


def _is_same_param(first: str | None, second: str | None) -> bool:
    """Whether the texts are the same, or one is the other as a server cut it."""
    if first is None or second is None or first == second:
        return first == second
    short, long = sorted((first, second), key=len)
    return len(short) in _CUTS and long.startswith(short)


def _parsed(value: str) -> object:
    try:
        return json.loads(value) if value else None
    except ValueError:  # it was too long, and was cut
        return None
