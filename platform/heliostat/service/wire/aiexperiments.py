"""AI experiments: experiments whose units of work are runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.analysis import leaders
from heliostat.engine import check_sources
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.query import RunQuery
from heliostat.registry import check_supported
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.wire.declarations import declared_fields, read_declaration, read_revision
from heliostat.service.wire.fields import check_client, now, project_of
from heliostat.service.wire.paging import flag_of, page
from heliostat.service.wire.run_changes import RunChange
from heliostat.service.wire.run_ends import ended
from heliostat.service.wire.run_objects import run_object
from heliostat.service.wire.standing import OBSERVED, Usage, runs_progress, usage
from heliostat.service.wire.stewards import (
    Records,
    declared,
    handed_out,
    in_states,
    record_of,
    stewards,
    timed,
)
from heliostat.service.wire.training_runs import read_new
from heliostat.steering import Ask
from heliostat.trial import Run, State
from heliostat.writes import ChangeExperiment, CreateExperiment, UpdateRun, Write

router = APIRouter(tags=["AI experiments"])

KIND = "aiexperiment"
_IN_PROJECT = "/clients/{client}/projects/{project}/aiexperiments"
_OWN = ("task", "lease")


@router.post(_IN_PROJECT)
async def create(call: WriteCall, client: str, project: str) -> Response:
    """Create an experiment in a project."""
    folder = project_of(call, client, project)
    await call.read(_check_project, call.log, folder)
    spec = read_declaration(await call.body(), KIND, folder)
    return reply(shown(call, await created(call, spec), Usage(0, 0, 0)))


@router.get(_IN_PROJECT)
async def list_in_project(call: SharedCall, client: str, project: str) -> Response:
    """The experiments of a project, newest first."""
    call.caller.require_project(project)
    return await listed(call, KIND, project_of(call, client, project))


@router.get("/clients/{client}/aiexperiments")
async def list_of_client(call: SharedCall, client: str) -> Response:
    """All experiments, newest first."""
    call.caller.require("read")
    check_client(call, client)
    return await listed(call, KIND)


@router.get("/aiexperiments")
async def list_all(call: SharedCall) -> Response:
    """All experiments, newest first."""
    call.caller.require("read")
    return await listed(call, KIND)


@router.get("/aiexperiments/{experiment}")
async def fetch(call: SharedCall, experiment: str) -> Response:
    """One experiment with its progress."""
    record = await record_of(call, experiment)
    return reply(shown(call, record, await call.read(_usage, call.log, record)))


@router.put("/aiexperiments/{experiment}")
async def update(call: WriteCall, experiment: str) -> Response:
    """Change an experiment; what is not named stays. `state` archives it or brings it back."""
    record = await revise(call, await record_of(call, experiment), KIND)
    return reply(shown(call, record, await call.read(_usage, call.log, record)))


@router.delete("/aiexperiments/{experiment}")
async def archive(call: WriteCall, experiment: str) -> Response:
    """Archive an experiment, with `include_runs` its runs too."""
    await put_away(call, await record_of(call, experiment))
    return reply({})


@router.post("/aiexperiments/{experiment}/training_runs")
async def create_run(call: WriteCall, experiment: str) -> Response:
    """A run at the next point to try, or at `assignments` of your own; with `state`, one made elsewhere.

    `lease` (seconds) gives the run to another worker if nothing is heard of it for so long.
    """
    record, body = await declared(call, experiment), await call.body()
    change = read_new({key: item for key, item in body.items() if key not in _OWN})
    given = {k: v for k, v in change.maps.get("assignments", {}).items() if v is not None}
    own = {name: value for name, value in given.items() if name in record.spec.space.index}
    ask = Ask(
        assignments=own or None,
        task=schema.name(body["task"], "task") if body.get("task") is not None else None,
        name=change.facts.get("name", ""),
        user=call.caller.user,
        metadata=change.maps.get("metadata", {}),
        lease=lease_of(body.get("lease")),
        key=call.key("ask"),
    )
    answer = await handed_out(call, record, ask)
    run = await _filled(call, answer.runs[0], change)
    return timed(reply(run_object(run, client=call.settings.client)), answer)


@router.get("/aiexperiments/{experiment}/best_training_runs")
async def best_training_runs(call: SharedCall, experiment: str) -> Response:
    """The best run, the Pareto front, several solutions, or all that are feasible."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id)
    best: Sequence[Run] = leaders(record.spec, [run for run in runs if not run.archived])
    client = call.settings.client
    return reply(page(best, call, lambda run: run_object(run, client=client), oldest_first=False))


def shown(call: Call, record: ExperimentRecord, found: Usage) -> dict[str, Any]:
    """The object of an AI experiment."""
    fields = declared_fields(record, KIND, call.settings.client)
    return {**fields, "progress": runs_progress(record.spec, found)}


async def created(call: Call, spec: ExperimentSpec) -> ExperimentRecord:
    """Record an experiment that its searcher can run.

    Raises:
        Unsupported: It cannot.
    """
    await call.read(check_supported, spec)
    await call.read(check_sources, spec, call.log)
    (made,) = await call.write(CreateExperiment(spec.to_dict(), time=now(), key=call.key()))
    return await call.read(call.log.experiment, made.experiment or 0)


async def revise(call: Call, record: ExperimentRecord, kind: str) -> ExperimentRecord:
    """Change an experiment as the body says; its record afterwards."""
    body = await call.body()
    archived, changes = None, {key: item for key, item in body.items() if key != "state"}
    if body.get("state") is not None:
        archived = schema.choice(body["state"], "state", ("active", "deleted")) == "deleted"
        archived = None if archived is record.archived else archived
    spec = await call.read(read_revision, record.spec, changes, kind) if changes else record.spec
    is_new = spec != record.spec
    if is_new:
        await call.read(check_supported, spec)
    if is_new or archived is not None:
        declared = spec.to_dict() if is_new else None
        write = ChangeExperiment(record.id, declared, time=now(), archived=archived, key=call.key())
        await call.write(write)
        call.backend.part(Records).forget(record.id)
    return await call.read(call.log.experiment, record.id)


async def put_away(call: Call, record: ExperimentRecord) -> None:
    """Archive an experiment, with ``include_runs`` in the query its runs too."""
    writes: list[Write] = [ChangeExperiment(record.id, time=now(), archived=True, key=call.key())]
    if flag_of(call, "include_runs"):
        runs = await call.read(call.log.runs, record.id)
        writes += [
            UpdateRun(run.id, time=now(), archived=True, key=call.key(f"run {run.id}"))
            for run in runs
            if not run.archived
        ]
    await call.write(*writes)
    call.backend.part(Records).forget(record.id)


async def listed(call: Call, kind: str, project: str | None = None) -> Response:
    """A page of experiments; ``state`` in the query is active, deleted or all."""
    state = schema.choice(
        call.request.query_params.get("state") or "active", "state", ("active", "deleted", "all")
    )
    search = (call.request.query_params.get("search") or "").casefold()
    records = [
        record
        for record in await call.read(call.log.experiments, project)
        if (state == "all" or record.archived is (state == "deleted"))
        and search in record.spec.name.casefold()
    ]
    return reply(page(records, call, lambda record: _listed(call, record, kind)))


def lease_of(value: Any) -> float | None:
    """Seconds of a lease.

    Raises:
        InvalidValue: It is no number above 0.
    """
    if value is None:
        return None
    found = schema.number(value, "lease")
    if found <= 0:
        raise InvalidValue("lease", "must be above 0 seconds", given=value)
    return found


def _listed(call: Call, record: ExperimentRecord, kind: str) -> dict[str, Any]:
    counts = record.counts
    active, finished = counts.get("active", 0), sum(counts.get(state.value, 0) for state in OBSERVED)
    found = Usage(active, finished, active + finished)
    if kind == KIND:
        return shown(call, record, found)
    progress = {"object": "progress", "observation_count": finished}
    return {**declared_fields(record, kind, call.settings.client), "progress": progress}


def _usage(log: RunLog, record: ExperimentRecord) -> Usage:
    if record.spec.tasks:
        return usage(record.spec, log.runs(record.id))
    states = ((State.ACTIVE,), OBSERVED)
    active, finished = (
        log.query(RunQuery(in_states(*found), limit=0), experiment=record.id).count for found in states
    )
    return Usage(active, finished, active + finished)


def _check_project(log: RunLog, project: str) -> None:
    if all(record.id != project for record in log.projects()):
        raise hidden("project", project)


async def _filled(call: Call, run: Run, change: RunChange) -> Run:
    """The run with what else it was created with, and ended if it was made elsewhere."""
    maps = {key: found for key, found in change.maps.items() if key != "metadata"}
    if "assignments" in maps:
        maps["assignments"] = {k: v for k, v in maps["assignments"].items() if k not in run.assignments}
    facts = {key: found for key, found in change.facts.items() if key != "name"}
    rest = RunChange({key: found for key, found in maps.items() if found}, facts, change.texts)
    writes = list(rest.writes(run.id, now(), call.key("rest")))
    if writes:
        await call.write(*writes)
    if change.state in (None, "active"):
        return await call.read(call.log.run, run.id) if writes else run
    done = await ended(call, run.id, failed=change.state == "failed")
    call.backend.part(stewards).nudge(run.experiment or 0)
    return done
