"""The calls about runs: their life, their search."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from heliostat.errors import InvalidValue, NotFound
from heliostat.query import RunQuery
from heliostat.service.callers import Caller
from heliostat.service.mlflow import creations, facts, fields, points, searching, views
from heliostat.service.mlflow.comparisons import Comparison
from heliostat.service.mlflow.creations import Creations
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.filters import read_filter
from heliostat.service.mlflow.models import pairs
from heliostat.service.mlflow.refusals import MlflowRefusal
from heliostat.service.mlflow.wire import Wire
from heliostat.trial import Failure, Measurement, Run, State
from heliostat.writes import CorrectRun, CreateRun, FinishRun, Reply, StartRun, UpdateRun, Write, new_key

STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
MOST_EXPERIMENTS = 1000
LONGEST_NAME = 250

_UNTOLD = "failed; MLflow tells no reason"
_ENDS = {
    "FINISHED": (State.COMPLETED, "finished", None),
    "FAILED": (State.FAILED, _UNTOLD, Failure("user_error", _UNTOLD)),
    "KILLED": (State.CANCELLED, "killed", None),
}


async def create_run(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Make a run; see :mod:`heliostat.service.mlflow.creations` for repeated calls."""
    experiment = fields.text(data, "experiment_id") or "0"
    project = await wire.active_project(experiment)
    start = fields.integer(data, "start_time")
    if start is not None and not 0 <= start <= 2**53:
        raise InvalidValue("start_time", "must be milliseconds since the epoch", given=start)
    tags = pairs(data, "tags")
    wanted = _creation(data, tags, project.id, wire.now() if start is None else start / 1000, caller)
    token = "" if caller.token is None else caller.token.digest
    body = new_key() if start is None else creations.fingerprint(token, replace(wanted, key=""), tags)
    run = await _created(wire, wanted, tags, body)
    return {"run": views.run_object(run, project, wire.identity)}


async def get_run(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """A run with all that is known of it."""
    run = await wire.run(run_id(data), curve=True)
    return {"run": views.run_object(run, await wire.project_of(run), wire.identity)}


async def update_run(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """End a run, let it go on, or rename it."""
    uuid = run_id(data)
    status = fields.choice(data, "status", STATUSES)
    end = fields.integer(data, "end_time")
    name = fields.text(data, "run_name", longest=LONGEST_NAME)
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid, curve=True)
        if name:
            await wire.write(UpdateRun(run.id, time=wire.now(), name=name))
        if status is not None:
            await _set_status(wire, run, status, end)
    found = await wire.run(uuid)
    return {"run_info": views.run_info(found, await wire.project_of(found), wire.identity)}


async def delete_run(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Hide a run."""
    run = await wire.run(fields.required_text(data, "run_id"))
    await wire.write(UpdateRun(run.id, time=wire.now(), archived=True))
    return {}


async def restore_run(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Show a deleted run again."""
    run = await wire.run(fields.required_text(data, "run_id"))
    await wire.write(UpdateRun(run.id, time=wire.now(), archived=False))
    return {}


async def search_runs(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Runs of some experiments that match a filter, page by page."""
    experiments = fields.texts(data, "experiment_ids", most=MOST_EXPERIMENTS)
    view = fields.choice(data, "run_view_type", searching.VIEWS) or "ACTIVE_ONLY"
    comparisons = read_filter(fields.text(data, "filter"), searching.RUN_NAMES)
    orders = searching.read_orders(data, searching.RUN_NAMES)
    runs = await _candidates(wire, experiments, view, comparisons)
    projects = await wire.projects()
    looked = [(run, searching.look_run(run, projects[run.project], wire.identity)) for run in runs]
    found, token = searching.page(searching.chosen(looked, comparisons, orders), data, default=1000)
    return {"runs": [views.run_object(run, projects[run.project], wire.identity) for run in found], **token}


def run_id(data: Data) -> str:
    """The run that a call is about; old clients say ``run_uuid``."""
    found = fields.text(data, "run_id") or fields.text(data, "run_uuid")
    if not found:
        raise InvalidValue("run_id", "is required", remedy="Take it from runs/create or runs/search.")
    return found


def _creation(data: Data, tags: dict[str, str], project: str, moment: float, caller: Caller) -> CreateRun:
    told = fields.text(data, "user_id") or ""
    user = tags.get(facts.USER) or ("" if told == "unknown" else told) or caller.user
    name = fields.text(data, "run_name", longest=LONGEST_NAME) or tags.get(facts.NAME, "")[:LONGEST_NAME]
    return CreateRun(
        None,
        {},
        time=moment,
        project=project,
        name=name,
        origin=facts.origin_of(tags),
        metadata=facts.tag_changes(tags).get("metadata", {}),
        user=user,
        key="",
    )


async def _created(wire: Wire, wanted: CreateRun, tags: dict[str, str], body: str) -> Run:
    made: Creations = wire.creations
    for count in range(creations.MOST):
        if made.is_open(body, count):
            continue
        with made.making(body, count):
            asked = time.time()
            (reply,) = await wire.write(replace(wanted, key=f"mlflow-run-{body}-{count}"))
            id = reply.run or 0
            await wire.write(*_beginning(id, tags, wanted.time, f"{body}-{count}"))
            run = await wire.run_by_number(id, str(id))
            is_ours = creations.is_untouched(run) and (
                made.was_made_here(body, count) or not await _is_anothers(wire, reply, asked)
            )
            if is_ours:
                made.made(body, count)
                return run
    rule = "too many runs with the same name, tags and time of start"
    raise MlflowRefusal("RESOURCE_CONFLICT", rule, remedy="Name the runs, or tag them apart.")


def _beginning(run: int, tags: dict[str, str], moment: float, body: str) -> Iterator[Write]:
    own = {name: value for name, value in tags.items() if name not in (facts.NAME, facts.USER)}
    changes = facts.tag_changes(own)
    changes.pop("metadata", None)
    if changes:
        yield UpdateRun(run, time=moment, key=f"mlflow-tags-{body}", **changes)
    yield StartRun(run, time=moment, key=f"mlflow-start-{body}")


async def _is_anothers(wire: Wire, reply: Reply, asked: float) -> bool:
    """Whether another process has made the run a moment ago, for a worker that is not ours."""
    log = wire.backend.log
    if log.url.startswith("ray:"):
        return False  # the writer's clock is another machine's
    (event,) = await wire.backend.read(log.events, reply.seq - 1, 1)
    return event.time < asked < event.time + creations.YOUNG


async def _set_status(wire: Wire, run: Run, status: str, end: int | None) -> None:
    now = wire.now()
    if run.experiment is not None:
        return  # its experiment judges it by its metrics and ends it
    if status in ("RUNNING", "SCHEDULED"):
        is_plain = run.state.is_open and status == "RUNNING"
        changes = {views.STATUS: None if is_plain else status}
        if run.sys_metadata.get(views.STATUS) != changes[views.STATUS]:
            await wire.write(UpdateRun(run.id, time=now, sys_metadata=changes))
        return
    text = (await wire.backend.read(wire.backend.log.texts, run.id)).get(points.STREAM, "")
    values = points.latest_values(run, text)
    moment = now if end is None else end / 1000
    await wire.write(*points.final_writes(run, text, now), *_end_writes(run, status, moment, values, now))


def _end_writes(
    run: Run, status: str, moment: float, values: dict[str, Measurement], now: float
) -> Iterator[Write]:
    state, reason, failure = _ENDS[status]
    is_open = run.state in (State.ACTIVE, State.LOST)
    if is_open:
        yield FinishRun(run.id, state, reason, time=moment, values=values, failure=failure)
    elif views.status_of(run) != status:
        yield CorrectRun(run.id, state, reason, time=now, values=values, failure=failure)
    marks: dict[str, Any] = {}
    if views.STATUS in run.sys_metadata:
        marks[views.STATUS] = None
    if not is_open and views.end_time_of(run) != views.milliseconds(moment):
        marks[views.END_TIME] = views.milliseconds(moment)
    if marks:
        yield UpdateRun(run.id, time=now, sys_metadata=marks)


async def _candidates(
    wire: Wire, experiments: list[str], view: str, comparisons: list[Comparison]
) -> list[Run]:
    """Runs among which those that match are, newest first."""
    narrowed = searching.narrowed(comparisons, wire.identity)
    query = RunQuery(narrowed, archived=view != "ACTIVE_ONLY")
    found: list[Run] = []
    for experiment in dict.fromkeys(experiments):
        try:
            project = await wire.project(experiment, fresh=view != "ACTIVE_ONLY")
        except NotFound:
            continue  # as MLflow does: nothing is found there
        if view == "ACTIVE_ONLY" and project.archived:
            continue
        page = await wire.backend.read(wire.backend.log.query, query, project=project.id)
        hidden = project.archived
        found += [run for run in page.runs if view != "DELETED_ONLY" or run.archived or hidden]
    return sorted(found, key=lambda run: (-views.start_time_of(run), run.id))
