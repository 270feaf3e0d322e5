"""Suggestions: points handed out and not yet observed, and those that were."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat import outcome as ends
from heliostat import schema
from heliostat.engine.ends import write_of
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.wire.aiexperiments import lease_of
from heliostat.service.wire.fields import now, scalars
from heliostat.service.wire.standing import suggestion_object
from heliostat.service.wire.stewards import (
    declared,
    handed_out,
    in_states,
    record_of,
    run_of,
    run_page,
    task_of,
    timed,
)
from heliostat.steering import Ask
from heliostat.trial import Run, State
from heliostat.writes import UpdateRun, Write

router = APIRouter(tags=["suggestions"])

DELETED = "suggestion_deleted"
"""Key of a run's ``sys_metadata``: its suggestion was deleted after it was observed."""

_AT = "/experiments/{experiment}/suggestions"
_CLOSED = tuple(state for state in State if not state.is_open)


@router.post(_AT)
async def create(call: WriteCall, experiment: str) -> Response:
    """The next point to try, or `assignments` of your own, with their `task` where there are tasks.

    `lease` (seconds) hands it to another worker if nothing is heard of it for so long.
    """
    record, body = await declared(call, experiment), await call.body()
    schema.only_keys(body, "suggestion", ("assignments", "task", "metadata", "lease"))
    own = body.get("assignments")
    ask = Ask(
        assignments=None if own is None else scalars(own, "assignments"),
        task=None if own is None else task_of(record.spec, body.get("task")),
        user=call.caller.user,
        metadata=scalars(body.get("metadata"), "metadata"),
        lease=lease_of(body.get("lease")),
        beyond_budget=True,
        key=call.key("ask"),
    )
    answer = await handed_out(call, record, ask)
    return timed(reply(suggestion_object(answer.runs[0], record.spec)), answer)


@router.get(_AT)
async def fetch_all(call: SharedCall, experiment: str) -> Response:
    """A page of suggestions, newest first; `state` is open or closed."""
    record = await record_of(call, experiment)
    state = call.request.query_params.get("state") or "all"
    schema.choice(state, "state", ("open", "closed", "all"))
    filters = {"open": (in_states(State.ACTIVE),), "closed": (in_states(*_CLOSED),), "all": ()}[state]
    return await run_page(call, record, lambda run: suggestion_object(run, record.spec), *filters)


@router.delete(_AT)
async def delete_all(call: WriteCall, experiment: str) -> Response:
    """Delete all suggestions, or those of a `state`; observations stay."""
    record = await record_of(call, experiment)
    state = schema.choice(call.request.query_params.get("state") or "all", "state", ("open", "closed", "all"))
    runs = [run for run in await call.read(call.log.runs, record.id) if not run.archived]
    if state != "all":
        runs = [run for run in runs if run.state.is_open is (state == "open")]
    await call.write(*(write for run in runs for write in _deletion(call, run)))
    return reply({})


@router.get(_AT + "/{suggestion}")
async def fetch(call: SharedCall, experiment: str, suggestion: str) -> Response:
    """One suggestion."""
    record = await record_of(call, experiment)
    run = await _own(call, await run_of(call, record, suggestion, "suggestion"))
    return reply(suggestion_object(run, record.spec))


@router.put(_AT + "/{suggestion}")
async def update(call: WriteCall, experiment: str, suggestion: str) -> Response:
    """Change a suggestion's metadata."""
    record, body = await record_of(call, experiment), await call.body()
    schema.only_keys(body, "suggestion", ("metadata",))
    run = await _own(call, await run_of(call, record, suggestion, "suggestion"))
    gone: dict[str, Any] = dict.fromkeys(run.metadata)
    facts = {**gone, **scalars(body.get("metadata"), "metadata")}
    await call.write(UpdateRun(run.id, time=now(), metadata=facts, key=call.key()))
    return reply(suggestion_object(await call.read(call.log.run, run.id), record.spec))


@router.delete(_AT + "/{suggestion}")
async def delete(call: WriteCall, experiment: str, suggestion: str) -> Response:
    """Delete a suggestion: an open one is cancelled and gives its part of the budget back."""
    record = await record_of(call, experiment)
    run = await _own(call, await run_of(call, record, suggestion, "suggestion"))
    await call.write(*_deletion(call, run))
    return reply({})


def _deletion(call: Call, run: Run) -> list[Write]:
    key = call.key(f"delete {run.id}")
    if not run.state.is_open:
        return [UpdateRun(run.id, time=now(), sys_metadata={DELETED: True}, key=key)]
    end = write_of(run.id, ends.cancelled({}, "its suggestion was deleted"), now())
    return [end, UpdateRun(run.id, time=now(), archived=True, key=key)]


async def _own(call: Call, run: Run) -> Run:
    if run.archived or run.sys_metadata.get(DELETED):
        raise hidden("suggestion", run.id)
    return run
