"""What a batch of writes reads once, changes in memory and writes once.

Eight writes that wait together would be thirty statements one by one; so they are seven, which matters most
where each is a round trip to a server. Works only inside one transaction that excludes other writers, and
only for the writes that make up nearly all of the traffic; the others call :meth:`UnitOfWork.settle` and then
work on the tables themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer

from heliostat.errors import StaleSession
from heliostat_trackers.effects import no_experiment, no_run, refuse_stale, settle_project
from heliostat_trackers.points import Point, insert_points, metric_ids
from heliostat_trackers.prepared import Prepared
from heliostat_trackers.tables import events, experiments, runs


class FoundRun(NamedTuple):
    """What the writes about a run need to know of it."""

    id: int
    experiment: int | None
    number: int
    state: str
    values: str
    end_reason: str
    attempt: int
    metadata: str
    epoch: int | None


@dataclass
class FoundExperiment:
    """What creating runs needs to know of an experiment; `last` is the number of its last run."""

    epoch: int
    project: str
    last: int


_RUN = select(
    runs.c.id,
    runs.c.experiment,
    runs.c.number,
    runs.c.state,
    runs.c["values"],
    runs.c.end_reason,
    runs.c.attempt,
    runs.c.metadata,
    experiments.c.epoch,
).select_from(runs.outerjoin(experiments, runs.c.experiment == experiments.c.id))
_SOUGHT = {
    "sqlite": Prepared(
        _RUN.where(
            runs.c.id.in_(
                select(column("value")).select_from(func.json_each(bindparam("sought")).alias("asked"))
            )
        )
    ),
    "postgresql": Prepared(_RUN.where(runs.c.id == func.any(bindparam("sought", type_=ARRAY(Integer))))),
}
_EXPERIMENT = Prepared(
    select(
        experiments.c.epoch,
        experiments.c.project,
        select(func.max(runs.c.number))
        .where(runs.c.experiment == bindparam("sought"))
        .scalar_subquery()
        .label("last"),
    ).where(experiments.c.id == bindparam("sought"))
)
_LAST = Prepared(
    select(select(func.max(events.c.seq)).scalar_subquery(), select(func.max(runs.c.id)).scalar_subquery())
)
_INSERT = Prepared(insert(runs))
_UPDATE = Prepared(update(runs).where(runs.c.id == bindparam("sought")))
_OVERLAID = frozenset(FoundRun._fields)


class UnitOfWork:
    """The present state of what one batch touches.

    Ids and event numbers are counted on from the highest there is: nobody else writes, nothing is deleted.

    Args:
        connection: In a transaction that excludes other writers.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._last: tuple[int, int] | None = None
        self._forget()

    def expect(self, ids: Iterable[int]) -> None:
        """Read these runs now, together; unknown ids are left to :meth:`run`."""
        wanted = sorted({int(id) for id in ids} - self._runs.keys())
        if wanted:
            dialect = self.connection.dialect.name
            sought = json.dumps(wanted) if dialect == "sqlite" else wanted
            for row in _SOUGHT[dialect].all(self.connection, {"sought": sought}):
                self._runs[row[0]] = FoundRun(*row)

    def run(self, id: int, *, epoch: int | None = None, attempt: int | None = None) -> FoundRun:
        """A run as it now is, for a write of this session and attempt.

        Raises:
            NotFound: No such run.
            StaleSession: A newer session, or a later attempt, has taken over.
        """
        self.expect([id])
        found = self._runs.get(id)
        if found is None:
            raise no_run(id)
        refuse_stale(epoch, found.epoch, found.experiment)
        if attempt is not None and attempt != found.attempt:
            rule = f"run {id} is at its attempt {found.attempt}"
            raise StaleSession(rule, given=attempt, remedy="Stop this worker: another one has the run.")
        return found

    def experiment(self, id: int, *, epoch: int | None = None) -> FoundExperiment:
        """An experiment as it now is, for a write of this session.

        Raises:
            NotFound: No such experiment.
            StaleSession: A newer session has taken over.
        """
        if id not in self._experiments:
            row = _EXPERIMENT.first(self.connection, {"sought": id})
            if row is None:
                raise no_experiment(id)
            self._experiments[id] = FoundExperiment(row[0], row[1], row[2] or 0)
        found = self._experiments[id]
        refuse_stale(epoch, found.epoch, id)
        return found

    def project(self, name: str, time: float) -> None:
        """Bring a project into being, unless it is there."""
        if name not in self._projects:
            settle_project(self.connection, name, time)
            self._projects.add(name)

    def add_run(self, row: Mapping[str, Any]) -> int:
        """A new run's id; all rows of a batch have the same columns."""
        event, run = self._lasts()
        self._last = event, run + 1
        self._added.append({"id": run + 1, **row})
        return run + 1

    def change_run(self, found: FoundRun, changes: Mapping[str, Any]) -> None:
        """Set columns of a run; :meth:`run` knows of it at once."""
        self._changed.setdefault(found.id, {}).update(changes)
        seen = {name: value for name, value in changes.items() if name in _OVERLAID}
        self._runs[found.id] = found._replace(**seen)

    def metrics(self, names: Iterable[str]) -> dict[str, int]:
        """The small integers that stand for metrics."""
        wanted = set(names)
        if new := wanted - self._metrics.keys():
            self._metrics |= metric_ids(self.connection, new)
        return self._metrics

    def add_points(self, points: Mapping[Point, tuple[float | None, float]]) -> None:
        """Points of curves; the last value for the same place counts."""
        self._points |= points

    def next_event(self) -> int:
        """The number of the next event."""
        return self._lasts()[0] + 1

    def settle(self) -> None:
        """Write all that was changed, and forget what was read: the tables are up to date."""
        if self._added:
            _INSERT.insert_all(self.connection, self._added)
        for columns in {tuple(changes) for changes in self._changed.values()}:
            rows = [
                {"sought": id, **changes}
                for id, changes in self._changed.items()
                if tuple(changes) == columns
            ]
            _UPDATE.run_many(self.connection, rows)
        if self._points:
            insert_points(self.connection, self._points)
        self._forget()

    def _lasts(self) -> tuple[int, int]:
        if self._last is None:
            event, run = _LAST.first(self.connection, {})
            self._last = int(event or 0), int(run or 0)
        return self._last

    def _forget(self) -> None:
        self._runs: dict[int, FoundRun] = {}
        self._experiments: dict[int, FoundExperiment] = {}
        self._metrics: dict[str, int] = {}
        self._projects: set[str] = set()
        self._added: list[dict[str, Any]] = []
        self._changed: dict[int, dict[str, Any]] = {}
        self._points: dict[Point, tuple[float | None, float]] = {}
