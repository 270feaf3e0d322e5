"""Applying the points of training curves."""

from __future__ import annotations

from typing import Any

from heliostat.writes import LogCheckpoints
from heliostat_trackers.effects import Effect
from heliostat_trackers.points import Point, stored_number
from heliostat_trackers.unit_of_work import UnitOfWork


def log_checkpoints(unit: UnitOfWork, write: LogCheckpoints) -> Effect:
    """Store points under the present attempt; a metric that was there at the same step is replaced.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session, or a later attempt, has taken over.
    """
    found = unit.run(write.run, epoch=write.epoch, attempt=write.attempt)
    last = unit.last_step(found) if write.follows else 0
    ids = unit.metrics(name for point in write.checkpoints for name in point.values)
    unit.add_points(
        {
            Point(found.id, found.attempt, last + int(point.step), ids[name]): (
                stored_number(value),
                float(point.time),
            )
            for point in write.checkpoints
            for name, value in point.values.items()
        }
    )
    facts: dict[str, Any] = {"number": found.number, "state": found.state, "attempt": found.attempt}
    step = None
    if write.checkpoints:
        step = facts["step"] = last + max(int(point.step) for point in write.checkpoints)
    return Effect(found.experiment, write.run, attempt=found.attempt, body=facts, id=step)
