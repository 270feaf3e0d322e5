"""Points of training curves as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, text

from heliostat_trackers.prepared import Prepared
from heliostat_trackers.tables import checkpoints, metric_names
from heliostat_trackers.upserts import insert_or_replace

_KNOWN = select(metric_names.c.name, metric_names.c.id).where(
    metric_names.c.name.in_(bindparam("names", expanding=True))
)
_NAME = insert(metric_names)
_UPSERT = Prepared(insert_or_replace(checkpoints, "value", "time")["sqlite"])
# One statement for all points, with arrays as texts: a round trip each would cost ten times as much, and the
# driver takes longer over lists than the server over the points.
_UNNESTED = text(
    """INSERT INTO checkpoints (run, attempt, step, metric, value, time)
    SELECT point.* FROM unnest(
        CAST(:run AS integer[]), CAST(:attempt AS integer[]), CAST(:step AS bigint[]),
        CAST(:metric AS integer[]), CAST(:value AS double precision[]), CAST(:time AS double precision[])
    ) AS point
    ON CONFLICT (run, attempt, step, metric) DO UPDATE SET value = excluded.value, time = excluded.time"""
)


class Point(NamedTuple):
    """The place of a value in a curve; `metric` is its small integer."""

    run: int
    attempt: int
    step: int
    metric: int


def insert_points(connection: Connection, points: Mapping[Point, tuple[float | None, float]]) -> None:
    """Store values with their times; what was at the same place is replaced."""
    if connection.dialect.name == "postgresql":
        columns = zip(*((*point, *found) for point, found in points.items()), strict=True)
        names = (*Point._fields, "value", "time")
        connection.execute(_UNNESTED, dict(zip(names, map(_array, columns), strict=True)))
        return
    _UPSERT.run_many(
        connection,
        [{**point._asdict(), "value": value, "time": time} for point, (value, time) in points.items()],
    )


def metric_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """The small integers that stand for metrics, made for new names."""
    wanted = sorted(names)
    if not wanted:
        return {}
    ids = {row.name: row.id for row in connection.execute(_KNOWN, {"names": wanted})}
    new = [name for name in wanted if name not in ids]
    if not new:
        return ids
    connection.execute(_NAME, [{"name": name} for name in new])
    return ids | {row.name: row.id for row in connection.execute(_KNOWN, {"names": new})}


def stored_number(value: Any) -> float | None:
    """The number as its column holds it: SQLite itself turns NaN into NULL; so do we everywhere."""
    real = float(value)
    return None if math.isnan(real) else real


def _array(values: Iterable[float | None]) -> str:
    return "{" + ",".join("NULL" if value is None else repr(value) for value in values) + "}"
