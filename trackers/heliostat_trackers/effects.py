"""What a write did: the part of its reply and event that depends on its kind; and shared rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult

from heliostat.errors import StaleSession
from heliostat_trackers.tables import projects
from heliostat_trackers.upserts import insert_new


@dataclass(frozen=True)
class Effect:
    """Outcome of one applied write.

    Args:
        experiment: Its experiment, if any.
        run: Its run, if any.
        number: The new run's number.
        epoch: The new session's epoch.
        attempt: The run's present attempt.
        body: Facts for the readers of events.
        id: What else the write made.
    """

    experiment: int | None = None
    run: int | None = None
    number: int | None = None
    epoch: int | None = None
    attempt: int | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    id: int | None = None


_PROJECT = insert_new(projects)


def settle_project(connection: Connection, name: str, time: float) -> None:
    """Bring a project into being, unless it is there."""
    row = {"name": name, "created": time, "updated": time}
    connection.execute(_PROJECT[connection.dialect.name], row)


def inserted_id(result: CursorResult[Any]) -> int:
    """The identity that the database gave to the one inserted row."""
    (id,) = result.inserted_primary_key or (0,)
    return int(id)


def refuse_stale(epoch: int | None, newest: int | None, experiment: int | None) -> None:
    """Raise StaleSession if a newer session has taken over the experiment."""
    if epoch is not None and newest is not None and epoch < newest:
        rule = f"experiment {experiment} was taken over by session {newest}"
        raise StaleSession(rule, given=epoch, remedy="Stop this driver, or open a new session to take over.")
