"""Applying the points of training curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text

from heliostat.writes import LogCheckpoints
from heliostat_trackers.effects import Effect
from heliostat_trackers.prepared import Prepared
from heliostat_trackers.run_writes import found_run
from heliostat_trackers.tables import checkpoints, metric_names
from heliostat_trackers.upserts import insert_or_replace

_KNOWN = select(metric_names.c.name, metric_names.c.id).where(
    metric_names.c.name.in_(bindparam("names", expanding=True))
)
_NAME = insert(metric_names)
_UPSERT = Prepared(insert_or_replace(checkpoints, "value", "time")["sqlite"])
# One statement for all points: a round trip each would cost PostgreSQL ten times as much.
_UNNESTED = text(
    """INSERT INTO checkpoints (run, attempt, step, metric, value, time)
    SELECT :run, :attempt, point.*
    FROM unnest(CAST(:steps AS bigint[]), CAST(:metrics AS integer[]),
                CAST(:values AS double precision[]), CAST(:times AS double precision[])) AS point
    ON CONFLICT (run, attempt, step, metric) DO UPDATE SET value = excluded.value, time = excluded.time"""
)


def log_checkpoints(connection: Connection, write: LogCheckpoints) -> Effect:
    """Store points under the present attempt; a metric that was there at the same step is replaced.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session, or a later attempt, has taken over.
    """
    found = found_run(connection, write)
    ids = metric_ids(connection, {name for point in write.checkpoints for name in point.values})
    # By key, since the last of several values for one metric and step is the one that counts.
    points = {
        (int(point.step), ids[name]): (stored_number(value), float(point.time))
        for point in write.checkpoints
        for name, value in point.values.items()
    }
    if points:
        _insert(connection, write.run, found.attempt, points)
    facts: dict[str, Any] = {"number": found.number, "state": found.state, "attempt": found.attempt}
    if write.checkpoints:
        facts["step"] = max(int(point.step) for point in write.checkpoints)
    return Effect(found.experiment, write.run, attempt=found.attempt, body=facts)


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


def _insert(
    connection: Connection,
    run: int,
    attempt: int,
    points: Mapping[tuple[int, int], tuple[float | None, float]],
) -> None:
    if connection.dialect.name == "postgresql":
        steps, metrics = _columns(points, 2)
        values, times = _columns(points.values(), 2)
        arrays = {"steps": steps, "metrics": metrics, "values": values, "times": times}
        connection.execute(_UNNESTED, {"run": run, "attempt": attempt, **arrays})
        return
    rows = [
        {"run": run, "attempt": attempt, "step": step, "metric": metric, "value": value, "time": time}
        for (step, metric), (value, time) in points.items()
    ]
    _UPSERT.run_many(connection, rows)


def _columns(rows: Iterable[Sequence[Any]], count: int) -> list[list[Any]]:
    listed = list(rows)
    return [[row[place] for row in listed] for place in range(count)]
