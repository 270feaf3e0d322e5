"""Applying the writes about runs: their life from creation to the one end."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from heliostat.errors import Conflict, InvalidValue, StaleSession
from heliostat.trial import State
from heliostat.writes import (
    AddFile,
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
from heliostat_trackers.effects import (
    Effect,
    no_experiment,
    no_run,
    refuse_stale,
    settle_project,
)
from heliostat_trackers.prepared import Prepared
from heliostat_trackers.tables import experiments, runs

_EXPERIMENT = Prepared(
    select(
        experiments.c.epoch,
        experiments.c.project,
        select(func.max(runs.c.number))
        .where(runs.c.experiment == bindparam("sought"))
        .scalar_subquery()
        .label("last"),
    ).where(experiments.c.id == bindparam("sought"))
)
_FOUND = Prepared(
    select(
        runs.c.experiment,
        runs.c.number,
        runs.c.state,
        runs.c["values"],
        runs.c.end_reason,
        runs.c.attempt,
        runs.c.metadata,
        experiments.c.epoch,
    )
    .select_from(runs.outerjoin(experiments, runs.c.experiment == experiments.c.id))
    .where(runs.c.id == bindparam("sought"))
)
_INSERT = Prepared(insert(runs).returning(runs.c.id))
_UPDATE = Prepared(update(runs).where(runs.c.id == bindparam("sought")))


class FoundRun(NamedTuple):
    """What the writes about a run need to know of it."""

    experiment: int | None
    number: int
    state: str
    values: str
    end_reason: str
    attempt: int
    metadata: str
    epoch: int | None


RunWrite = StartRun | RetryRun | LogCheckpoints | UpdateRun | LogText | LogLateValues | AddFile | FinishRun

_MERGED = ("assignments", "parameter_sources", "sources", "dev_metadata", "sys_metadata", "datasets")
_REPLACED = ("name", "model", "source_hash", "note", "favorite", "archived")
_SPEC = select(experiments.c.spec).where(experiments.c.id == bindparam("sought"))


def create_run(connection: Connection, write: CreateRun) -> Effect:
    """Record the run under the next number of its experiment, 0 outside experiments.

    Raises:
        NotFound: No such experiment.
        StaleSession: A newer session has taken over.
    """
    project, number = write.project, 0
    if write.experiment is None:
        settle_project(connection, project, write.time)
    else:
        found = _EXPERIMENT.first(connection, {"sought": write.experiment})
        if found is None:
            raise no_experiment(write.experiment)
        epoch, project, last = found
        refuse_stale(write.epoch, epoch, write.experiment)
        number = (last or 0) + 1
    (id,) = _INSERT.first(connection, {"project": project, "number": number, **_new_row(write)})
    body = {"number": number, "state": State.ACTIVE.value}
    return Effect(write.experiment, id, number, attempt=1, body=body)


def start_run(connection: Connection, write: StartRun) -> Effect:
    """Record when the code began.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = found_run(connection, write)
    facts = merged_text(write.metadata, found.metadata)
    time = float(write.time)
    _UPDATE.run(connection, {"sought": write.run, "started": time, "updated": time, "metadata": facts})
    return effect_of(write, found, {})


def retry_run(connection: Connection, write: RetryRun) -> Effect:
    """Begin the next attempt of a run that is active or lost, with nothing of the earlier one.

    Raises:
        NotFound: No such run.
        Conflict: The run ended otherwise.
        StaleSession: A newer session has taken over.
    """
    found = found_run(connection, write)
    _refuse_ended(write.run, found)
    attempt = found.attempt + 1
    blank = {"started": None, "ended": None, "failure": None, "values": "{}", "end_reason": ""}
    changes = {**blank, "state": State.ACTIVE.value, "attempt": attempt, "updated": float(write.time)}
    _UPDATE.run(connection, {"sought": write.run, **changes})
    body = {"state": State.ACTIVE.value, "attempt": attempt, "reason": write.reason}
    return effect_of(write, found, body)


def update_run(connection: Connection, write: UpdateRun) -> Effect:
    """Lay facts over the run's, whatever its state.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session, or a later attempt, has taken over.
        InvalidValue: It would change a parameter that the experiment assigned.
    """
    found = found_run(connection, write)
    changes: dict[str, Any] = {
        "updated": float(write.time),
        "values": numbers_text(write.values, found.values),
        "metadata": merged_text(write.metadata, found.metadata),
    }
    changes |= {name: value for name in _REPLACED if (value := getattr(write, name)) is not None}
    changes |= _merged(connection, write, found)
    _UPDATE.run(connection, {"sought": write.run, **changes})
    return effect_of(write, found, {})


def _merged(connection: Connection, write: UpdateRun, found: FoundRun) -> dict[str, str]:
    """Texts of the rarer mappings that the write changes; they are read only then."""
    names = [name for name in _MERGED if getattr(write, name)] + (["tags"] if write.tags else [])
    if not names:
        return {}
    if write.assignments and found.experiment is not None:
        _refuse_assigned(connection, write, found.experiment)
    columns = select(*(runs.c[name] for name in names)).where(runs.c.id == write.run)
    before = dict(zip(names, connection.execute(columns).one(), strict=True))
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


def finish_run(connection: Connection, write: FinishRun) -> Effect:
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
    found = found_run(connection, write)
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
    _UPDATE.run(connection, {"sought": write.run, **changes})
    return effect_of(write, found, {"state": state.value, "reason": write.reason})


def found_run(connection: Connection, write: RunWrite) -> FoundRun:
    """The present row of the write's run.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = _FOUND.first(connection, {"sought": write.run})
    if found is None:
        raise no_run(write.run)
    run = FoundRun(*found)
    refuse_stale(write.epoch, run.epoch, run.experiment)
    attempt = getattr(write, "attempt", None)
    if attempt is not None and attempt != run.attempt:
        rule = f"run {write.run} is at its attempt {run.attempt}"
        raise StaleSession(rule, given=attempt, remedy="Stop this worker: another one has the run.")
    return run


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
        "updated": float(write.time),
        "user": write.user,
    }
