"""Ask, tell, report: an experiment in three short calls, for people without a client."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import Conflict, InvalidValue, StaleSession
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord
from heliostat.service.backend import Backend
from heliostat.service.calls import Call, ShortRoute, WriteCall, reply
from heliostat.service.wire.aiexperiments import lease_of
from heliostat.service.wire.declarations import task_object
from heliostat.service.wire.fields import evaluation_list, evaluations, id_of, now, scalars, text
from heliostat.service.wire.run_objects import evaluation, finite
from heliostat.service.wire.stewards import asked, declared, refuse_archived, run_of, stewards, task_of, timed
from heliostat.service.wire.stopping import verdict
from heliostat.steering import Ask, Ending, end, given_up
from heliostat.trial import Checkpoint, Measurement, Run
from heliostat.writes import LogCheckpoints, UpdateRun, Write

router = APIRouter(tags=["ask, tell, report"], route_class=ShortRoute)

MOST = 1_000
"""Runs of one asking."""

OPEN, MOST_OPEN = 2.0, 10_000
"""Seconds for which a replica takes a run for open, and how many runs it remembers."""

_AT = "/experiments/{experiment}"


def _example(body: dict[str, Any]) -> dict[str, Any]:
    """What the OpenAPI document shows of a body."""
    content = {"schema": {"type": "object"}, "example": body}
    return {"requestBody": {"content": {"application/json": content}}}


@router.post(_AT + "/ask", openapi_extra=_example({"count": 1, "lease": 3600}))
async def ask(call: WriteCall, experiment: str) -> Response:
    """Runs to execute, each handed to nobody else; none at the end of budget or space.

    `count` (1 to 1000), `lease` (seconds without a report after which a run goes to somebody else), `name`,
    `metadata`; or a point of your own by `assignments` and `task`. With an `Idempotency-Key` the same asking
    gets the same runs.
    """
    record, body = await declared(call, experiment), await call.body()
    refuse_archived(record)
    schema.only_keys(body, "ask", ("count", "lease", "name", "metadata", "assignments", "task"))
    count = schema.integer(body.get("count", 1), "count", at_least=1)
    if count > MOST:
        raise InvalidValue("count", f"must be at most {MOST}", given=count, remedy="Ask again for more.")
    own = None if body.get("assignments") is None else scalars(body["assignments"], "assignments")
    if own is not None and count != 1:
        raise InvalidValue("count", "is 1 with assignments of your own", given=count)
    wanted = Ask(
        count,
        assignments=own,
        task=None if own is None else task_of(record.spec, body.get("task")),
        name=schema.name(body["name"], "name") if body.get("name") is not None else "",
        user=call.caller.user,
        metadata=scalars(body.get("metadata"), "metadata"),
        lease=lease_of(body.get("lease")),
        key=call.key("ask"),
    )
    answer = await asked(call, record, wanted)
    found = {
        "object": "ask",
        "runs": [short_run(run, record.spec) for run in answer.runs],
        "is_over": answer.is_over,
        "reason": answer.reason,
    }
    return timed(reply(found), answer)


@router.post(_AT + "/tell", openapi_extra=_example({"run": "12", "values": {"loss": 0.31}}))
async def tell(call: WriteCall, experiment: str) -> Response:
    """End a run: with `values` by metric, or `failed` with a `reason`.

    A value is a number or `{"value", "value_stddev"}`. The same again is the same answer. With the run's
    `attempt`, a worker whose lease ran out is refused. `stopped` says why a run was ended early.
    `assignments` instead of `run` records a point made elsewhere.
    """
    record, body = await declared(call, experiment), await call.body()
    allowed = ("run", "assignments", "task", "values", "failed", "stopped", "reason", "attempt", "metadata")
    schema.only_keys(body, "tell", allowed)
    ending = _ending(body)
    run = await _told(call, record, body)
    metadata = scalars(body.get("metadata"), "metadata")
    if metadata:
        await call.write(UpdateRun(run.id, time=now(), metadata=metadata, key=call.key("metadata")))
    done = await call.read(end, call.log, run.id, ending, record.spec)
    call.backend.part(Reporters).forget(run.id)
    call.backend.part(stewards).nudge(record.id)
    return reply(short_run(done, record.spec))


@router.post(_AT + "/report", openapi_extra=_example({"run": "12", "step": 3, "values": {"loss": 0.7}}))
async def report(call: WriteCall, experiment: str) -> Response:
    """What a run shows while it runs: `values` at a `step` of its curve, or without one its latest values.

    Every report keeps the run's lease alive, one without values too. The reply says whether to stop.
    """
    record, body = await declared(call, experiment), await call.body()
    schema.only_keys(body, "report", ("run", "values", "step", "attempt"))
    run = await _reporting(call, record, str(schema.required(body, "run", "")))
    try:
        await call.write(_shown(call, run, body))
    except StaleSession:
        raise given_up(run) from None
    return reply({"object": "report", "run": str(run), **await verdict(call, run, record)})


class Reporters:
    """Runs that were open a moment ago, so that not every point of a curve reads the curve.

    A report that comes in that moment after the run's end, through another replica, still joins its curve.
    """

    def __init__(self, backend: Backend) -> None:
        self._open: dict[int, tuple[float, int]] = {}

    def knows(self, run: int, experiment: int) -> bool:
        """Whether it is an open run of the experiment."""
        seen = self._open.get(run)
        return seen is not None and seen[1] == experiment and time.monotonic() - seen[0] < OPEN

    def saw(self, run: Run) -> None:
        """It was read just now."""
        if len(self._open) > MOST_OPEN:
            self._open.clear()
        if run.state.is_open:
            self._open[run.id] = time.monotonic(), run.experiment or 0

    def forget(self, run: int) -> None:
        """It ended here."""
        self._open.pop(run, None)


async def _reporting(call: Call, record: ExperimentRecord, run: str) -> int:
    """The identity of an open run.

    Raises:
        NotFound: The experiment has none.
        Conflict: It has ended.
    """
    known, id = call.backend.part(Reporters), id_of(run, "run")
    if not known.knows(id, record.id):
        found = await run_of(call, record, run, "run")
        if not found.state.is_open:
            raise Conflict(f"run {id} has ended ({found.state})", remedy="Report a run before its end.")
        known.saw(found)
    return id


def short_run(run: Run, spec: ExperimentSpec) -> dict[str, Any]:
    """What a worker needs of a run; all of it is at ``/v1/training_runs/ID``."""
    failure = run.failure
    return {
        "object": "run",
        "id": str(run.id),
        "experiment": str(run.experiment),
        "number": run.number,
        "name": run.name or None,
        "assignments": finite(run.assignments),
        "task": task_object(spec, run.task),
        "state": str(run.state),
        "end_reason": run.end_reason,
        "values": {name: evaluation(name, item) for name, item in run.values.items()},
        "attempt": run.attempt,
        "why": run.why,
        "origin": run.origin,
        "failure": None if failure is None else {"kind": failure.kind, "message": failure.message},
    }


async def _told(call: Call, record: ExperimentRecord, body: dict[str, Any]) -> Run:
    """The run that is told about; for a point made elsewhere, one made now."""
    if ("run" in body) == ("assignments" in body):
        rule, remedy = "exactly one of run and assignments is needed", "Name the run that ask gave."
        raise InvalidValue("run", rule, remedy=remedy)
    if "run" in body:
        return await run_of(call, record, str(body["run"]), "run")
    refuse_archived(record)
    point = scalars(body["assignments"], "assignments")
    task = task_of(record.spec, body.get("task"))
    own = Ask(assignments=point, task=task, user=call.caller.user, key=call.key("ask"))
    return (await asked(call, record, own)).runs[0]


def _ending(body: dict[str, Any]) -> Ending:
    given = body.get("values")
    found = evaluation_list(given) if isinstance(given, list) else evaluations(given)
    values = {name: item for name, item in found.items() if item is not None}
    attempt = body.get("attempt")
    return Ending(
        values,
        failed=schema.flag(body.get("failed", False), "failed"),
        stopped=text(body["stopped"], "stopped", longest=1000) if body.get("stopped") else "",
        reason=text(body["reason"], "reason", longest=1000) if body.get("reason") else "",
        attempt=None if attempt is None else schema.integer(attempt, "attempt", at_least=1),
    )


def _shown(call: Call, run: int, body: dict[str, Any]) -> Write:
    ending = _ending({key: body[key] for key in ("values", "attempt") if key in body})
    values: dict[str, Measurement] = dict(ending.values)
    if body.get("step") is None or not values:
        return UpdateRun(run, time=now(), values=values, attempt=ending.attempt, key=call.key("report"))
    step = schema.integer(body["step"], "step", at_least=0)
    point = Checkpoint(step, {name: item.value for name, item in values.items()}, now())
    return LogCheckpoints(run, (point,), attempt=ending.attempt, key=call.key("report"))
