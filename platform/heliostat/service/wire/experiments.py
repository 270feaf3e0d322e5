"""Core experiments: the same experiments, in units of suggestions and observations.

Every experiment can be used through both families. Only the budget differs: an AI experiment hands out no run
beyond it, while a core experiment goes on, as SigOpt's did, since its clients count observations and may have
asked for one too many.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat.errors import InvalidValue
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.wire.aiexperiments import created, listed, put_away, revise
from heliostat.service.wire.declarations import declared_fields, read_declaration
from heliostat.service.wire.fields import check_client, project_of
from heliostat.service.wire.standing import observations_progress
from heliostat.service.wire.stewards import record_of

router = APIRouter(tags=["core experiments"])

KIND = "experiment"


@router.post("/experiments")
async def create(call: WriteCall) -> Response:
    """Create an experiment."""
    body = await call.body()
    spec = read_declaration(body, KIND)
    if body.get("project") is not None:
        await call.read(_check_project, call.log, spec.project)
    return reply(await shown(call, await created(call, spec)))


@router.post("/clients/{client}/experiments")
async def create_in_client(call: WriteCall, client: str) -> Response:
    """Create an experiment."""
    check_client(call, client)
    return await create(call)


@router.get("/experiments")
async def list_all(call: SharedCall) -> Response:
    """All experiments, newest first; `state` is active, deleted or all."""
    call.caller.require("read")
    return await listed(call, KIND)


@router.get("/clients/{client}/experiments")
async def list_of_client(call: SharedCall, client: str) -> Response:
    """All experiments, newest first."""
    call.caller.require("read")
    check_client(call, client)
    return await listed(call, KIND)


@router.get("/clients/{client}/projects/{project}/experiments")
async def list_in_project(call: SharedCall, client: str, project: str) -> Response:
    """The experiments of a project, newest first."""
    call.caller.require_project(project)
    return await listed(call, KIND, project_of(call, client, project))


@router.get("/experiments/{experiment}")
async def fetch(call: SharedCall, experiment: str) -> Response:
    """One experiment with its progress."""
    return reply(await shown(call, await record_of(call, experiment)))


@router.put("/experiments/{experiment}")
async def update(call: WriteCall, experiment: str) -> Response:
    """Change an experiment; what is not named stays."""
    return reply(await shown(call, await revise(call, await record_of(call, experiment), KIND)))


@router.delete("/experiments/{experiment}")
async def archive(call: WriteCall, experiment: str) -> Response:
    """Archive an experiment, with `include_runs` its runs too."""
    await put_away(call, await record_of(call, experiment))
    return reply({})


async def shown(call: Call, record: ExperimentRecord) -> dict[str, Any]:
    """The object of a core experiment."""
    runs = await call.read(call.log.runs, record.id)
    fields = declared_fields(record, KIND, call.settings.client)
    return {**fields, "progress": observations_progress(record.spec, runs)}


def _check_project(log: RunLog, project: str) -> None:
    if all(record.id != project for record in log.projects()):
        raise InvalidValue("project", "must exist", given=project, remedy="Create it first.")
