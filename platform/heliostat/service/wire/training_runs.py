"""Runs: create, read, change, end, archive; one by one and many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter, Response

from heliostat import outcome as ends
from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.openapi import takes
from heliostat.service.wire.fields import id_of, now, project_of
from heliostat.service.wire.paging import page_object, read_fields
from heliostat.service.wire.run_changes import FIELDS, RunChange, read_change
from heliostat.service.wire.run_ends import ended, reopened
from heliostat.service.wire.run_objects import run_object
from heliostat.service.wire.tag_book import TagBook
from heliostat.trial import Failure, Run, State
from heliostat.writes import CreateRun, FinishRun, StartRun, Write

router = APIRouter(tags=["training runs"])

MOST_RUNS = 10_000
"""Runs of one batch."""

NEW_RUN: Mapping[str, Any] = {
    "name": "by hand",
    "assignments": {"lr": 0.01, "kind": "linear"},
    "assignments_meta": {"lr": {"source": "my defaults"}},
    "assignments_sources": {"my defaults": {"sort": 1, "default_show": True}},
    "values": {"accuracy": {"value": 0.97, "value_stddev": 0.01}},
    "metadata": {"rows": 150},
    "dev_metadata": {},
    "sys_metadata": {"feature_importances": {"type": "weight", "scores": {"x": 1}}},
    "datasets": {"iris": {}},
    "model": {"type": "tree"},
    "source_code": {"content": "print(1)", "hash": "5f2c"},
    "logs": {"stdout": {"content": "epoch 1"}},
    "tags": ["good"],
    "note": "# why",
    "favorite": False,
    "state": "completed",
}
"""Every field that a run can be given."""

_IN_PROJECT = "/clients/{client}/projects/{project}/training_runs"
_REPORTED = Failure("user_error", "reported as failed")


@router.post(_IN_PROJECT, openapi_extra=takes(NEW_RUN))
async def create(call: WriteCall, client: str, project: str) -> Response:
    """Create a run; with `state`, one that has been made elsewhere."""
    folder = project_of(call, client, project)
    body = await call.body()
    if "fields" in body:
        raise InvalidValue(
            "fields", "has no field 'fields'", remedy="Only batches take it.", code="HS-VALUE-002"
        )
    (id,) = await create_runs(call, folder, [read_new(body)], [call.key()])
    return reply(await shown(call, id))


@router.post(
    _IN_PROJECT + "/batch", openapi_extra=takes({"runs": [NEW_RUN], "fields": "id"}, required=["runs"])
)
async def create_batch(call: WriteCall, client: str, project: str) -> Response:
    """Create up to 10,000 runs; if one of them is refused, none is created."""
    folder = project_of(call, client, project)
    body = await call.body()
    schema.only_keys(body, "the batch", ("runs", "fields"))
    given = schema.items(schema.required(body, "runs", ""), "runs")
    if len(given) > MOST_RUNS:
        raise InvalidValue(
            "runs", f"must be at most {MOST_RUNS}", given=len(given), remedy="Send several batches."
        )
    changes = [
        read_new(schema.mapping(item, f"runs[{place}]"), f"runs[{place}].")
        for place, item in enumerate(given)
    ]
    ids = await create_runs(call, folder, changes, [call.key(str(place)) for place in range(len(changes))])
    fields = read_fields(body.get("fields"))
    if fields is not None and set(fields) <= {"id"}:
        return reply(page_object([{"id": str(id)} for id in ids], len(ids), None, None, fields))
    runs = await call.read(lambda: [call.log.run(id) for id in ids])
    tags = await call.read(call.backend.part(TagBook).ids)
    objects = [run_object(run, client=call.settings.client, tags=tags) for run in runs]
    return reply(page_object(objects, len(ids), None, None, fields))


@router.get("/training_runs/{run}")
async def fetch(call: SharedCall, run: str) -> Response:
    """One run with its texts and files."""
    return reply(await shown(call, id_of(run, "run")))


@router.put("/training_runs/{run}", openapi_extra=takes({**NEW_RUN, "deleted": False}))
async def update(call: WriteCall, run: str) -> Response:
    """Change a run; mappings that are given replace those of the run."""
    id = id_of(run, "run")
    change = read_change(await call.body())
    known = await call.read(call.log.run, id)
    return await _changed(call, id, change.instead_of(known), known)


@router.api_route("/training_runs/{run}", methods=["MERGE"], include_in_schema=False)
@router.patch("/training_runs/{run}", openapi_extra=takes({**NEW_RUN, "deleted": False}))
async def merge(call: WriteCall, run: str) -> Response:
    """Lay facts over a run, deeply; null removes a key. SigOpt's clients send it as MERGE."""
    id = id_of(run, "run")
    change = read_change(await call.body())
    known = await call.read(call.log.run, id) if change.is_nested else None
    return await _changed(call, id, change if known is None else change.laid_over(known), known)


@router.delete("/training_runs/{run}")
async def archive(call: WriteCall, run: str) -> Response:
    """Archive a run: hidden from lists, not learned from. ``PUT {"deleted": false}`` brings it back."""
    id = id_of(run, "run")
    await _changed(call, id, RunChange(facts={"archived": True}), None)
    return reply({})


def read_new(body: Mapping[str, Any], where: str = "") -> RunChange:
    """What a new run is to have.

    Raises:
        InvalidValue: A field is unknown or breaks a rule.
    """
    # The official client says null for what it does not know, and sends back what it was given.
    given = {key: value for key, value in body.items() if value is not None}
    schema.only_keys(
        given, where.rstrip(".") or "the run", tuple(name for name in FIELDS if name != "deleted")
    )
    return read_change(given, where)


async def create_runs(call: Call, project: str, changes: list[RunChange], keys: list[str]) -> list[int]:
    """New runs outside experiments, with all that is known of them; their identities.

    Args:
        call: Whose.
        project: Where they go; it comes into being with them.
        changes: What each is to have.
        keys: Of the writes that make them: the same key again is the same run.
    """
    time, stamp = now(), datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    made = [
        CreateRun(
            None,
            {name: value for name, value in change.maps.get("assignments", {}).items() if value is not None},
            time=time,
            project=project,
            name=change.facts.get("name", ""),
            origin="user",
            metadata=change.maps.get("metadata", {}),
            user=call.caller.user,
            key=key,
        )
        for change, key in zip(changes, keys, strict=True)
    ]
    ids = [reply.run or 0 for reply in await call.write(*made)]
    writes: list[Write] = []
    for id, change, key in zip(ids, changes, keys, strict=True):
        facts = {"name": f"{project} {id if call.is_keyed else stamp}"[:100], **change.facts}
        rest = {name: item for name, item in change.maps.items() if name not in ("assignments", "metadata")}
        writes += [StartRun(id, time=time, key=f"{key[:28]}s")]
        writes += replace(change, maps=rest, facts=facts).writes(id, time, f"{key[:28]}u")
        if change.state in ("completed", "failed"):
            end = Outcome(State.COMPLETED, "uploaded")
            if change.state == "failed":
                end = ends.raised({}, _REPORTED.kind, _REPORTED.message)
            writes += [
                FinishRun(id, end.state, end.reason, time=time, failure=end.failure, key=f"{key[:28]}e")
            ]
    await call.write(*writes)
    return ids


async def shown(call: Call, id: int) -> dict[str, Any]:
    """A run's whole object, for those who may see it.

    Raises:
        NotFound: There is no such run, or not for this caller.
    """
    if call.skips and not call.caller.is_guest:
        return {}
    tags = call.backend.part(TagBook)
    run, texts, files, ids = await call.read(_whole, call.log, id, tags)
    call.caller.check_run(run)
    return run_object(run, client=call.settings.client, tags=ids, texts=texts, files=files)


def _whole(log: RunLog, id: int, tags: TagBook) -> tuple[Run, dict[str, str], list[int], dict[str, int]]:
    run = log.run(id)
    files = [file.id for file in log.files(id)]
    return run, log.texts(id), files, tags.ids() if run.tags else {}


async def _changed(call: Call, id: int, change: RunChange, known: Run | None) -> Response:
    writes = list(change.writes(id, now(), call.key("change")))
    if change.state == "active":
        present = known if known is not None else await call.read(call.log.run, id)
        if not present.state.is_open:
            raise reopened(id)
    if writes:
        await call.write(*writes)
    elif change.state is None:
        await call.read(call.log.run, id)  # there must be such a run
    if change.state in ("completed", "failed"):
        await ended(call, id, failed=change.state == "failed")
    return reply(await shown(call, id))
