"""What a batch of writes reads once at most, changes in memory and writes once.

Eight writes that wait together would be thirty statements one by one; so they are seven, which matters most
where each is a round trip to a server. Works only inside one transaction that excludes other writers, and
only for the writes that make up nearly all of the traffic; the others call :meth:`UnitOfWork.settle` and then
work on the tables themselves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, column, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer

from heliostat.errors import StaleSession, no_experiment, no_run
from heliostat_trackers.effects import refuse_stale, settle_project
from heliostat_trackers.memory import FoundExperiment, FoundRun, Known
from heliostat_trackers.messages import Message
from heliostat_trackers.points import Point, insert_points, metric_ids
from heliostat_trackers.prepared import Changes, Prepared
from heliostat_trackers.tables import checkpoints, events, experiments, runs

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
_ONE = Prepared(_RUN.where(runs.c.id == bindparam("sought")))
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
_STEP = Prepared(
    select(func.max(checkpoints.c.step)).where(
        checkpoints.c.run == bindparam("sought"), checkpoints.c.attempt == bindparam("attempt")
    )
)
_LAST = Prepared(
    select(select(func.max(events.c.seq)).scalar_subquery(), select(func.max(runs.c.id)).scalar_subquery())
)
_INSERT = Prepared(insert(runs))
_CHANGES = Changes(runs)
_OF_RUNS = tuple(name for name in FoundRun._fields if name not in {"id", "epoch"})


class UnitOfWork:
    """The present state of what one batch touches.

    Ids and event numbers are counted on from the highest there is: nobody else writes, nothing is deleted.

    Args:
        connection: In a transaction that excludes other writers.
        known: What need not be read. It is kept up to date, and true once the transaction is durable; should
            it not become so, nobody may use it again.
    """

    def __init__(self, connection: Connection, known: Known | None = None) -> None:
        self.connection = connection
        self._known = known or Known()
        self._projects: set[str] = set()
        self._added: list[dict[str, Any]] = []
        self._changed: dict[int, dict[str, Any]] = {}
        self._points: dict[Point, tuple[float | None, float]] = {}

    def expect(self, ids: Iterable[int] = (), experiments: Iterable[int] = ()) -> None:
        """Read these runs and experiments now, together; unknown ones are left to who asks for them."""
        message, places = Message(self.connection), dict[int, int]()
        wanted = sorted({int(id) for id in ids} - self._known.runs.keys())
        if len(wanted) == 1:
            message.ask(_ONE, {"sought": wanted[0]})
        elif wanted:
            dialect = self.connection.dialect.name
            sought = json.dumps(wanted) if dialect == "sqlite" else wanted
            message.ask(_SOUGHT[dialect], {"sought": sought})
        for id in dict.fromkeys(experiments):
            if id not in self._known.experiments:
                places[id] = message.ask(_EXPERIMENT, {"sought": id})
        last = message.ask(_LAST, {}) if self._known.last is None else None
        found = message.send()
        for row in found[0] if wanted else ():
            self._known.runs[row[0]] = FoundRun(*row)
        for id, place in places.items():
            for epoch, project, number in found[place]:
                self._known.experiments[id] = FoundExperiment(epoch, project, number or 0)
        if last is not None:
            event, run = found[last][0]
            self._known.last = int(event or 0), int(run or 0)

    def run(self, id: int, *, epoch: int | None = None, attempt: int | None = None) -> FoundRun:
        """A run as it now is, for a write of this session and attempt.

        Raises:
            NotFound: No such run.
            StaleSession: A newer session, or a later attempt, has taken over.
        """
        if id not in self._known.runs:
            self.expect([id])
        found = self._known.runs.get(id)
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
        if id not in self._known.experiments:
            self.expect(experiments=[id])
        found = self._known.experiments.get(id)
        if found is None:
            raise no_experiment(id)
        refuse_stale(epoch, found.epoch, id)
        return found

    def project(self, name: str, time: float) -> None:
        """Bring a project into being, unless it is there."""
        if name not in self._projects:
            settle_project(self.connection, name, time)
            self._projects.add(name)

    def add_run(self, row: Mapping[str, Any], epoch: int | None = None) -> int:
        """A new run's id; all rows of a batch have the same columns. `epoch` is its experiment's."""
        event, last = self._lasts()
        id = last + 1
        self._known.last = event, id
        self._added.append({"id": id, **row})
        self._known.runs[id] = FoundRun(id=id, epoch=epoch, **{name: row[name] for name in _OF_RUNS})
        return id

    def change_run(self, found: FoundRun, changes: Mapping[str, Any]) -> None:
        """Set columns of a run; :meth:`run` knows of it at once."""
        self._changed.setdefault(found.id, {}).update(changes)
        seen = {name: value for name, value in changes.items() if name in _OF_RUNS}
        self._known.runs[found.id] = found._replace(**seen)

    def metrics(self, names: Iterable[str]) -> dict[str, int]:
        """The small integers that stand for metrics."""
        wanted = set(names)
        if new := wanted - self._known.metrics.keys():
            self._known.metrics |= metric_ids(self.connection, new)
        return self._known.metrics

    def add_points(self, points: Mapping[Point, tuple[float | None, float]]) -> None:
        """Points of curves; the last value for the same place counts."""
        self._points |= points

    def last_step(self, run: FoundRun) -> int:
        """The last step of the present attempt's curve, 0 if it has none."""
        stored = _STEP.first(self.connection, {"sought": run.id, "attempt": run.attempt})
        gathered = [point.step for point in self._points if point[:2] == (run.id, run.attempt)]
        return max([*gathered, (stored[0] if stored else None) or 0])

    def add_events(self, count: int) -> int:
        """The number of the first of so many new events."""
        event, run = self._lasts()
        self._known.last = event + count, run
        return event + 1

    def settle(self, message: Message | None = None) -> None:
        """Write all that was changed; without a message, other statements may then change the same rows.

        Args:
            message: Takes along what the caller will send as the end of the batch; without one the tables are
                up to date now, and what was read of them is forgotten.
        """
        sent = message or Message(self.connection)
        if self._added:
            sent.insert(_INSERT, self._added)
        for columns in {tuple(changes) for changes in self._changed.values()}:
            rows = {id: changes for id, changes in self._changed.items() if tuple(changes) == columns}
            sent.change(_CHANGES, rows)
        if message is None or self._points:
            sent.send()
        if self._points:
            insert_points(self.connection, self._points)
        self._known.prune([*self._changed, *(row["id"] for row in self._added)])
        if message is None:
            self._known.forget_rows()
        self._added, self._changed, self._points = [], {}, {}

    def _lasts(self) -> tuple[int, int]:
        if self._known.last is None:
            self.expect()
        return self._known.last or (0, 0)
