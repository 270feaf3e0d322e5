"""Applying the writes about runs: their life from creation to the one end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from heliostat.errors import OVERTAKEN, Conflict, InvalidValue
from heliostat.trial import State
from heliostat.writes import (
    AddFile,
    CorrectRun,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    LogLateValues,
    LogText,
    RetryRun,
    StartRun,
    UpdateRun,
)
from heliostat_trackers.columns import (
    failure_text,
    free_text,
    free_value,
    merged_text,
    numbers_text,
    tags_text,
)
from heliostat_trackers.effects import Effect
from heliostat_trackers.memory import FoundRun
from heliostat_trackers.suggestion_writes import close_suggestion, refuse_unqueued
from heliostat_trackers.tables import experiments, runs
from heliostat_trackers.unit_of_work import UnitOfWork

RunWrite = (
    StartRun
    | RetryRun
    | LogCheckpoints
    | UpdateRun
    | LogText
    | LogLateValues
    | AddFile
    | FinishRun
    | CorrectRun
)

_MERGED = ("assignments", "parameter_sources", "sources", "dev_metadata", "sys_metadata", "datasets")
_REPLACED = ("name", "model", "source_hash", "note", "favorite", "archived")
_SPEC = select(experiments.c.spec).where(experiments.c.id == bindparam("sought"))


def create_run(unit: UnitOfWork, write: CreateRun) -> Effect:
    """Record the run under the next number of its experiment, 0 outside experiments.

    Raises:
        NotFound: No such experiment, or it has no such suggestion.
        StaleSession: A newer session has taken over.
        Conflict: The suggestion it takes up is not in the queue, or another run was made meanwhile.
    """
    project, number, epoch = write.project, 0, None
    if write.experiment is None:
        unit.project(project, write.time)
    else:
        experiment = unit.experiment(write.experiment, epoch=write.epoch)
        if write.suggestion is not None:
            refuse_unqueued(unit.connection, write.suggestion, write.experiment)
        if write.after is not None and write.after != experiment.last:
            rule = f"another run was made meanwhile (the last is number {experiment.last})"
            remedy = "Read the runs again and propose anew."
            raise Conflict(rule, given=write.after, remedy=remedy, code=OVERTAKEN)
        experiment.last += 1
        project, number, epoch = experiment.project, experiment.last, experiment.epoch
    id = unit.add_run({"project": project, "number": number, **_new_row(write)}, epoch)
    body: dict[str, Any] = {"number": number, "state": State.ACTIVE.value}
    if write.suggestion is not None:
        unit.settle()  # the suggestion's row points at the run's
        close_suggestion(unit.connection, write.suggestion, id)
        body["suggestion"] = write.suggestion
    return Effect(write.experiment, id, number, attempt=1, body=body)


def start_run(unit: UnitOfWork, write: StartRun) -> Effect:
    """Record when the code began.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = unit.run(write.run, epoch=write.epoch, attempt=write.attempt)
    facts = merged_text(write.metadata, found.metadata)
    time = float(write.time)
    unit.change_run(found, {"started": time, "updated": time, "metadata": facts})
    return effect_of(write, found, {})


def retry_run(unit: UnitOfWork, write: RetryRun) -> Effect:
    """Begin the next attempt of a run that is active or lost, with nothing of the earlier one.

    Raises:
        NotFound: No such run.
        Conflict: The run ended otherwise.
        StaleSession: A newer session has taken over.
    """
    found = unit.run(write.run, epoch=write.epoch)
    _refuse_ended(write.run, found)
    attempt = found.attempt + 1
    blank = {"started": None, "ended": None, "failure": None, "values": "{}", "end_reason": ""}
    changes = {**blank, "state": State.ACTIVE.value, "attempt": attempt, "updated": float(write.time)}
    unit.change_run(found, changes)
    body = {"state": State.ACTIVE.value, "attempt": attempt, "reason": write.reason}
    return effect_of(write, found, body)


def update_run(unit: UnitOfWork, write: UpdateRun) -> Effect:
    """Lay facts over the run's, whatever its state.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session, or a later attempt, has taken over.
        InvalidValue: It would change a parameter that the experiment assigned.
    """
    found = unit.run(write.run, epoch=write.epoch, attempt=write.attempt)
    changes: dict[str, Any] = {
        "updated": float(write.time),
        "values": numbers_text(write.values, found.values),
        "metadata": merged_text(write.metadata, found.metadata),
    }
    changes |= {name: value for name in _REPLACED if (value := getattr(write, name)) is not None}
    changes |= _merged(unit, write, found)
    unit.change_run(found, changes)
    return effect_of(write, found, _told(write))


def _told(write: UpdateRun) -> dict[str, Any]:
    """What of the update concerns those who learn from the run."""
    told: dict[str, Any] = {} if write.archived is None else {"archived": bool(write.archived)}
    return told | ({"values": sorted(write.values)} if write.values else {})


def _merged(unit: UnitOfWork, write: UpdateRun, found: FoundRun) -> dict[str, str]:
    """Texts of the rarer mappings that the write changes; they are read only then."""
    names = [name for name in _MERGED if getattr(write, name)] + (["tags"] if write.tags else [])
    if not names:
        return {}
    if write.assignments and found.experiment is not None:
        _refuse_assigned(unit.connection, write, found.experiment)
    unit.settle()
    columns = select(*(runs.c[name] for name in names)).where(runs.c.id == write.run)
    before = dict(zip(names, unit.connection.execute(columns).one(), strict=True))
    return {
        name: tags_text(write.tags, text) if name == "tags" else merged_text(getattr(write, name), text, name)
        for name, text in before.items()
    }


def _refuse_assigned(connection: Connection, write: UpdateRun, experiment: int) -> None:
    spec = free_value(connection.execute(_SPEC, {"sought": experiment}).scalar_one())
    declared = {item["name"] for key in ("parameters", "conditionals") for item in spec.get(key) or ()}
    changed = sorted(declared & set(write.assignments))
    if changed:
        rule = f"the parameters of experiment {experiment} are assigned and cannot be changed"
        raise InvalidValue("assignments", rule, given=changed, remedy="Log other names beside them.")


def finish_run(unit: UnitOfWork, write: FinishRun) -> Effect:
    """End a run that is active or lost.

    Raises:
        NotFound: No such run.
        Conflict: The run has ended.
        StaleSession: A newer session has taken over.
        InvalidValue: The state is not an end.
    """
    state = State(write.state)
    if state.is_open:
        remedy = "Use completed, early_stopped, failed, lost or cancelled."
        raise InvalidValue("state", "must be an end", given=str(state), remedy=remedy)
    found = unit.run(write.run, epoch=write.epoch, attempt=write.attempt)
    _refuse_ended(write.run, found)
    changes = {
        "state": state.value,
        "end_reason": write.reason,
        "ended": float(write.time),
        "updated": float(write.time),
        "values": numbers_text(write.values, found.values),
        "failure": failure_text(write.failure),
        "metadata": merged_text(write.metadata, found.metadata),
    }
    unit.change_run(found, changes)
    return effect_of(write, found, {"state": state.value, "reason": write.reason})


def correct_run(unit: UnitOfWork, write: CorrectRun) -> Effect:
    """Set right the end of a run, and what it measured.

    Raises:
        NotFound: No such run.
        Conflict: The run is still active.
        StaleSession: A newer session has taken over.
        InvalidValue: The state is not an end.
    """
    state = State(write.state)
    if state.is_open:
        remedy = "Use completed, early_stopped, failed, lost or cancelled."
        raise InvalidValue("state", "must be an end", given=str(state), remedy=remedy)
    found = unit.run(write.run, epoch=write.epoch)
    if found.state == State.ACTIVE.value:
        rule = f"only what has ended can be corrected, and run {write.run} is active"
        raise Conflict(rule, remedy="Report its values, or end it first.", code="HS-CONFLICT-008")
    changes = {
        "state": state.value,
        "end_reason": write.reason,
        "updated": float(write.time),
        "values": numbers_text(write.values, found.values),
        "failure": failure_text(write.failure),
    }
    unit.change_run(found, changes)
    return effect_of(write, found, {"state": state.value, "reason": write.reason})


def _refuse_ended(run: int, found: FoundRun) -> None:
    if found.state not in (State.ACTIVE.value, State.LOST.value):
        rule = f"a run ends once, and run {run} has ended as {found.state} ({found.end_reason})"
        remedy = "Record late facts with UpdateRun; run it anew with CreateRun."
        raise Conflict(rule, remedy=remedy, code="HS-CONFLICT-003")


def effect_of(write: RunWrite, found: FoundRun, body: dict[str, Any], *, id: int | None = None) -> Effect:
    """The effect of a write about this run."""
    facts = {"number": found.number, "state": found.state, **body}
    return Effect(found.experiment, write.run, attempt=body.get("attempt", found.attempt), body=facts, id=id)


def _new_row(write: CreateRun) -> dict[str, Any]:
    return {
        "experiment": write.experiment,
        "name": write.name,
        "assignments": free_text(write.assignments, "assignments"),
        "state": State.ACTIVE.value,
        "values": "{}",
        "task": write.task,
        "origin": write.origin,
        "searcher": write.searcher,
        "why": write.why,
        "predicted": numbers_text(write.predicted),
        "end_reason": "",
        "attempt": 1,
        "created": float(write.time),
        "metadata": merged_text(write.metadata),
        "sys_metadata": merged_text(write.sys_metadata, field="sys_metadata"),
        "updated": float(write.time),
        "user": write.user,
    }
