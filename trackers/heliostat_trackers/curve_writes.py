"""Applying the points of training curves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from heliostat.writes import LogCheckpoints
from heliostat_trackers.effects import Effect
from heliostat_trackers.run_writes import found_run
from heliostat_trackers.tables import checkpoints, metric_names

_KNOWN = select(metric_names.c.name, metric_names.c.id).where(
    metric_names.c.name.in_(bindparam("names", expanding=True))
)
_NAME = insert(metric_names)
_POINTS = upsert(checkpoints)
_UPSERT = _POINTS.on_conflict_do_update(
    index_elements=list(checkpoints.primary_key),
    set_={"value": _POINTS.excluded.value, "time": _POINTS.excluded.time},
)


def log_checkpoints(connection: Connection, write: LogCheckpoints) -> Effect:
    """Store points under the present attempt; a metric that was there at the same step is replaced.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = found_run(connection, write)
    ids = _metric_ids(connection, {name for point in write.checkpoints for name in point.values})
    rows = [
        {
            "run": write.run,
            "attempt": found.attempt,
            "step": int(point.step),
            "metric": ids[name],
            "value": _stored(value),
            "time": float(point.time),
        }
        for point in write.checkpoints
        for name, value in point.values.items()
    ]
    if rows:
        connection.execute(_UPSERT, rows)
    facts: dict[str, Any] = {"number": found.number, "state": found.state, "attempt": found.attempt}
    if write.checkpoints:
        facts["step"] = max(int(point.step) for point in write.checkpoints)
    return Effect(found.experiment, write.run, attempt=found.attempt, body=facts)


def _metric_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    wanted = sorted(names)
    if not wanted:
        return {}
    ids = {row.name: row.id for row in connection.execute(_KNOWN, {"names": wanted})}
    new = [name for name in wanted if name not in ids]
    if not new:
        return ids
    connection.execute(_NAME, [{"name": name} for name in new])
    return ids | {row.name: row.id for row in connection.execute(_KNOWN, {"names": new})}


def _stored(value: Any) -> float | None:
    # SQLite itself turns NaN into NULL; saying so keeps other databases alike.
    real = float(value)
    return None if math.isnan(real) else real
