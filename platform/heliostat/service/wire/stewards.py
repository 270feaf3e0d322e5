"""What the routes of experiments share: their record, the stewards, handing out runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import Response

from heliostat.errors import Conflict, InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord
from heliostat.query import And, Condition, Filter, Or, RunPage, RunQuery
from heliostat.service.backend import Backend
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, reply
from heliostat.service.wire.fields import id_of
from heliostat.service.wire.paging import cursors_of, fields_of, limit_of, page_object
from heliostat.steering import Answer, Ask, Stewards, stewards_of
from heliostat.trial import Run, State

OVER = "HS-SERVICE-409"

MOST = 1_000
"""Declarations that a replica remembers."""

FRESH = 1.0
"""Seconds for which a replica knows a declaration without asking: under load that is most calls."""


def stewards(backend: Backend) -> Stewards:
    """For ``backend.part(stewards)``: who hands out suggestions."""
    return stewards_of(backend.log)


class Records:
    """The experiments that were asked about a moment ago, for calls that need the declaration alone.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._known: dict[int, tuple[float, ExperimentRecord]] = {}

    def get(self, id: int) -> ExperimentRecord | None:
        """What is known and still fresh."""
        found = self._known.get(id)
        return found[1] if found is not None and time.monotonic() - found[0] < FRESH else None

    def read(self, id: int) -> ExperimentRecord:
        """Ask the log.

        Raises:
            NotFound: There is no such experiment.
        """
        now, record = time.monotonic(), self._log.experiment(id)
        if len(self._known) > MOST:
            self._known.clear()
        self._known[id] = now, record
        return record

    def forget(self, id: int) -> None:
        """It was changed here."""
        self._known.pop(id, None)


async def declared(call: Call, experiment: str) -> ExperimentRecord:
    """The experiment in a path as it was a moment ago; see :data:`FRESH`. Its counts may be old.

    Raises:
        NotFound: There is none, or not for this caller.
    """
    id = id_of(experiment, "experiment")
    records = call.backend.part(Records)
    known = records.get(id)
    if known is None:
        known = await call.read(records.read, id)
    call.caller.check_experiment(known)
    return known


async def record_of(call: Call, experiment: str) -> ExperimentRecord:
    """The experiment in a path.

    Raises:
        NotFound: There is none, or not for this caller.
    """
    record = await call.read(call.log.experiment, id_of(experiment, "experiment"))
    call.caller.check_experiment(record)
    return record


async def run_of(call: Call, record: ExperimentRecord, run: str, what: str) -> Run:
    """A run of an experiment by the identity that its suggestion and observation share with it.

    Raises:
        NotFound: The experiment has none.
    """
    found = await call.read(call.log.run, id_of(run, what))
    if found.experiment != record.id:
        raise hidden(what, run[:100])
    return found


async def handed_out(call: Call, record: ExperimentRecord, ask: Ask) -> Answer:
    """Runs from the experiment's steward.

    Raises:
        InvalidValue: The experiment is archived.
        Conflict: Budget or space are used up, so that there is not even one.
    """
    refuse_archived(record)
    answer = await asked(call, record, ask)
    if not answer.runs:
        rule, remedy = f"experiment {record.id} has nothing left to try: {answer.reason}", "Raise the budget."
        raise Conflict(rule, remedy=remedy, code=OVER)
    return answer


async def asked(call: Call, record: ExperimentRecord, ask: Ask) -> Answer:
    """What the experiment's steward answers; its time is among the service's metrics."""
    answer = await call.backend.part(stewards).ask(record.id, ask)
    call.backend.record.suggesting.observe(answer.seconds)
    return answer


def refuse_archived(record: ExperimentRecord) -> None:
    """Refuse to go on with what was put away.

    Raises:
        InvalidValue: The experiment is archived.
    """
    if record.archived:
        remedy = 'Bring it back by PUT {"state": "active"}.'
        raise InvalidValue("experiment", "is archived and makes no more runs", given=record.id, remedy=remedy)


def timed(response: Response, answer: Answer) -> Response:
    """A reply that says how long the steward took, so that one can see what is HTTP and what is thinking."""
    response.headers["Server-Timing"] = f"suggest;dur={answer.seconds * 1000:.2f}"
    return response


async def run_page(
    call: Call,
    record: ExperimentRecord,
    write: Callable[[Run], dict[str, Any]],
    *filters: Condition,
    sort: str = "id",
    ascending: bool = False,
) -> Response:
    """A page of an experiment's runs, newest first: ``before`` leads to older ones."""
    before, after = cursors_of(call)
    query = RunQuery(
        And(filters) if filters else None,
        sort=sort,
        ascending=ascending,
        limit=limit_of(call),
        before=after,
        after=before,
    )
    page: RunPage = await call.read(call.log.query, query, experiment=record.id)
    objects = map(write, page.runs)
    return reply(page_object(objects, page.count, page.after, page.before, fields_of(call.request)))


def in_states(*states: State) -> Condition:
    """The condition that a run is in any of these states."""
    return Or(tuple(Filter("state", "==", state.value) for state in states))


def task_of(spec: ExperimentSpec, given: Any, field: str = "task") -> str | None:
    """The name of a task from a name or a task object; needed where there are tasks.

    Raises:
        InvalidValue: There is no such task, or none is named and there are some.
    """
    name = given.get("name") if isinstance(given, dict) else given
    if name is None and spec.tasks:
        known = ", ".join(task.name for task in spec.tasks)
        raise InvalidValue(field, "is required with tasks", remedy=f"The tasks: {known}.")
    if name is not None and not isinstance(name, str):
        raise InvalidValue(field, "must be the name of a task", given=name)
    task = spec.task(name)
    return None if task is None else task.name
