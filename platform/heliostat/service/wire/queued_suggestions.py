"""The queue: points of the user that are handed out before the searcher is asked again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.engine import queued
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord, SuggestionRecord
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.wire.declarations import task_object
from heliostat.service.wire.fields import id_of, now, scalars
from heliostat.service.wire.paging import page
from heliostat.service.wire.run_objects import finite
from heliostat.service.wire.stewards import record_of, task_of
from heliostat.writes import ChangeSuggestion, CreateSuggestion

router = APIRouter(tags=["queued suggestions"])

_AT = "/experiments/{experiment}/queued_suggestions"


@router.post(_AT)
async def create(call: WriteCall, experiment: str) -> Response:
    """Queue a point."""
    record, body = await record_of(call, experiment), await call.body()
    schema.only_keys(body, "queued_suggestion", ("assignments", "task"))
    given = schema.required(body, "assignments", "")
    legal = record.spec.space.check(scalars(given, "assignments"))
    task = task_of(record.spec, body.get("task"))
    write = CreateSuggestion(
        record.id, legal, time=now(), state="queued", task=task, origin="user", key=call.key()
    )
    (made,) = await call.write(write)
    found = next(item for item in await call.read(call.log.suggestions, record.id) if item.id == made.id)
    return reply(queued_object(found, record.spec))


@router.get(_AT)
async def fetch_all(call: SharedCall, experiment: str) -> Response:
    """What waits, newest first; the oldest is handed out next."""
    record = await record_of(call, experiment)
    waiting = await call.read(queued, call.log, record.id)
    return reply(page(waiting, call, lambda item: queued_object(item, record.spec)))


@router.get(_AT + "/{suggestion}")
async def fetch(call: SharedCall, experiment: str, suggestion: str) -> Response:
    """One point that waits."""
    record = await record_of(call, experiment)
    return reply(queued_object(await _waiting(call, record, suggestion), record.spec))


@router.delete(_AT + "/{suggestion}")
async def delete(call: WriteCall, experiment: str, suggestion: str) -> Response:
    """Take a point out of the queue."""
    record = await record_of(call, experiment)
    found = await _waiting(call, record, suggestion)
    await call.write(ChangeSuggestion(found.id, "deleted", time=now(), key=call.key()))
    return reply({})


def queued_object(item: SuggestionRecord, spec: ExperimentSpec) -> dict[str, Any]:
    """A ``queued_suggestion``."""
    found: dict[str, Any] = {
        "object": "queued_suggestion",
        "id": str(item.id),
        "experiment": str(item.experiment),
        "assignments": finite(item.assignments),
        "created": int(item.created),
    }
    if spec.tasks:
        found["task"] = task_object(spec, item.task)
    return found


async def _waiting(call: Call, record: ExperimentRecord, suggestion: str) -> SuggestionRecord:
    id = id_of(suggestion, "queued suggestion")
    for item in await call.read(queued, call.log, record.id):
        if item.id == id:
            return item
    raise hidden("queued suggestion", suggestion[:100])
