"""Observations: what came back from suggestions and from points of the observer's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.engine import corrected
from heliostat.engine.ends import write_of
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.wire.fields import now, scalars
from heliostat.service.wire.observation_bodies import Observed, read_observation, read_values
from heliostat.service.wire.paging import flag_of, page_object
from heliostat.service.wire.standing import OBSERVED, observation_object
from heliostat.service.wire.stewards import (
    declared,
    in_states,
    record_of,
    refuse_archived,
    run_of,
    run_page,
    stewards,
)
from heliostat.steering import Ending, end
from heliostat.trial import Run
from heliostat.writes import CreateRun, UpdateRun, Write

router = APIRouter(tags=["observations"])

MOST = 2_500
"""Observations of one batch."""

_AT = "/experiments/{experiment}/observations"
_SORT = re.compile(r"(value|value_stddev|parameter|metadata)-(.+)", re.DOTALL)
_SORTED = {
    "value": "values.{}.value",
    "value_stddev": "values.{}.value_stddev",
    "parameter": "assignments.{}",
    "metadata": "metadata.{}",
}


@router.post(_AT)
async def create(call: WriteCall, experiment: str) -> Response:
    """Observe a suggestion, or a point of your own: `values`, or `failed: true`."""
    record = await declared(call, experiment)
    refuse_archived(record)
    found = read_observation(record.spec, await call.body())
    run = await _of_suggestion(call, record, found) if found.suggestion else None
    if run is None:
        (run,) = await _own_points(call, record, [found])
    call.backend.part(stewards).nudge(record.id)
    return reply(observation_object(run, record.spec))


@router.post(_AT + "/batch")
async def create_batch(call: WriteCall, experiment: str) -> Response:
    """Up to 2,500 observations; if one is refused for what it says, none is recorded."""
    record, body = await record_of(call, experiment), await call.body()
    refuse_archived(record)
    schema.only_keys(body, "the batch", ("observations", "no_optimize", "dry_run"))
    given = schema.items(schema.required(body, "observations", ""), "observations")
    if len(given) > MOST:
        raise InvalidValue(
            "observations", f"must be at most {MOST}", given=len(given), remedy="Send several."
        )
    found = [
        read_observation(record.spec, item, f"observations[{place}].") for place, item in enumerate(given)
    ]
    asked = [item for item in found if item.suggestion]
    for item in asked:
        await run_of(call, record, item.suggestion or "", "suggestion")
    if schema.flag(body.get("dry_run") or flag_of(call, "dry_run"), "dry_run"):
        return reply(page_object((), 0, None, None))
    runs = {id(item): await _of_suggestion(call, record, item) for item in asked}
    own = [item for item in found if not item.suggestion]
    runs |= zip(map(id, own), await _own_points(call, record, own), strict=True)
    call.backend.part(stewards).nudge(record.id)
    objects = [observation_object(runs[id(item)], record.spec) for item in found]
    return reply(page_object(objects, len(objects), None, None))


@router.get(_AT)
async def fetch_all(call: SharedCall, experiment: str) -> Response:
    """A page of observations, newest first, or by `sort=value-METRIC` and the like."""
    record = await record_of(call, experiment)
    sort = _sort_of(call.request.query_params.get("sort"))
    return await run_page(
        call,
        record,
        lambda run: observation_object(run, record.spec),
        in_states(*OBSERVED),
        sort=sort,
        ascending=flag_of(call, "ascending"),
    )


@router.delete(_AT)
async def delete_all(call: WriteCall, experiment: str) -> Response:
    """Delete all observations: they are learned from no more."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id)
    gone = [run for run in runs if run.state in OBSERVED and not run.archived]
    await call.write(*(_deletion(call, run) for run in gone))
    call.backend.part(stewards).nudge(record.id)
    return reply({})


@router.get(_AT + "/{observation}")
async def fetch(call: SharedCall, experiment: str, observation: str) -> Response:
    """One observation."""
    record = await record_of(call, experiment)
    return reply(observation_object(await _own(call, record, observation), record.spec))


@router.put(_AT + "/{observation}")
async def update(call: WriteCall, experiment: str, observation: str) -> Response:
    """Set an observation right: its values, whether it failed, its metadata."""
    record, body = await record_of(call, experiment), await call.body()
    schema.only_keys(body, "observation", ("values", "failed", "metadata", "no_optimize", "task"))
    run = await _own(call, record, observation)
    writes = _correction(call, record.spec, run, body)
    if "metadata" in body:
        facts = {**dict.fromkeys(run.metadata), **scalars(body["metadata"], "metadata")}
        writes.append(UpdateRun(run.id, time=now(), metadata=facts, key=call.key("metadata")))
    await call.write(*writes)
    call.backend.part(stewards).nudge(record.id)
    return reply(observation_object(await call.read(call.log.run, run.id), record.spec))


@router.delete(_AT + "/{observation}")
async def delete(call: WriteCall, experiment: str, observation: str) -> Response:
    """Delete an observation: it is learned from no more."""
    record = await record_of(call, experiment)
    await call.write(_deletion(call, await _own(call, record, observation)))
    call.backend.part(stewards).nudge(record.id)
    return reply({})


async def _of_suggestion(call: Call, record: ExperimentRecord, found: Observed) -> Run:
    run = await run_of(call, record, found.suggestion or "", "suggestion")
    if run.archived:
        raise hidden("suggestion", run.id)
    ending = Ending(found.values, failed=found.failed)
    done = await call.read(end, call.log, run.id, ending, record.spec)
    if found.metadata:
        write = UpdateRun(run.id, time=now(), metadata=found.metadata, key=call.key("metadata"))
        await call.write(write)
        done = await call.read(call.log.run, run.id)
    return done


async def _own_points(call: Call, record: ExperimentRecord, found: Sequence[Observed]) -> list[Run]:
    """Runs that were made elsewhere, recorded with their ends."""
    time = now()
    made = [
        CreateRun(
            record.id,
            dict(item.assignments),
            time=time,
            task=item.task,
            origin="user",
            why="observed by the user",
            metadata={key: value for key, value in item.metadata.items() if value is not None},
            user=call.caller.user,
            key=call.key(f"run {place}"),
        )
        for place, item in enumerate(found)
    ]
    ids = [made.run or 0 for made in await call.write(*made)]
    await call.write(
        *(
            replace(write_of(id, item.outcome(record.spec), time), key=call.key(f"end {place}"))
            for place, (id, item) in enumerate(zip(ids, found, strict=True))
        )
    )
    return await call.read(lambda: [call.log.run(id) for id in ids])


def _correction(call: Call, spec: ExperimentSpec, run: Run, body: dict[str, object]) -> list[Write]:
    values = read_values(spec, body.get("values")) if body.get("values") is not None else None
    failed = None if body.get("failed") is None else schema.flag(body["failed"], "failed")
    if values is None and failed is None:
        return []
    return [replace(corrected(spec, run, values, failed), key=call.key("correction"))]


def _deletion(call: Call, run: Run) -> Write:
    return UpdateRun(run.id, time=now(), archived=True, key=call.key(f"delete {run.id}"))


async def _own(call: Call, record: ExperimentRecord, observation: str) -> Run:
    run = await run_of(call, record, observation, "observation")
    if run.archived or run.state not in OBSERVED:
        raise hidden("observation", observation[:100])
    return run


def _sort_of(given: str | None) -> str:
    found = _SORT.fullmatch(given or "")
    if found:
        return _SORTED[found[1]].format(found[2])
    return schema.choice(given or "id", "sort", ("id", "created"))
