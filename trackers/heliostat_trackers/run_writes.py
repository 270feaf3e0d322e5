"""Applying the writes about runs: their life from creation to the one end."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from heliostat.errors import Conflict, InvalidValue
from heliostat.trial import State
from heliostat.writes import CreateRun, FinishRun, LogCheckpoints, RetryRun, StartRun, UpdateRun
from heliostat_trackers.columns import failure_text, free_text, merged_metadata, numbers_text
from heliostat_trackers.effects import (
    Effect,
    inserted_id,
    no_experiment,
    no_run,
    refuse_stale,
    settle_project,
)
from heliostat_trackers.tables import experiments, runs

_EXPERIMENT = select(
    experiments.c.epoch,
    experiments.c.project,
    select(func.max(runs.c.number))
    .where(runs.c.experiment == bindparam("sought"))
    .scalar_subquery()
    .label("last"),
).where(experiments.c.id == bindparam("sought"))
_FOUND = (
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
_INSERT = insert(runs)
_UPDATE = update(runs).where(runs.c.id == bindparam("sought"))


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


RunWrite = StartRun | RetryRun | LogCheckpoints | UpdateRun | FinishRun


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
        found = connection.execute(_EXPERIMENT, {"sought": write.experiment}).first()
        if found is None:
            raise no_experiment(write.experiment)
        refuse_stale(write.epoch, found.epoch, write.experiment)
        project, number = found.project, (found.last or 0) + 1
    result = connection.execute(_INSERT, {"project": project, "number": number, **_new_row(write)})
    body = {"number": number, "state": State.ACTIVE.value}
    return Effect(write.experiment, inserted_id(result), number, attempt=1, body=body)


def start_run(connection: Connection, write: StartRun) -> Effect:
    """Record when the code began.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = found_run(connection, write)
    facts = merged_metadata(write.metadata, found.metadata)
    connection.execute(_UPDATE, {"sought": write.run, "started": float(write.time), "metadata": facts})
    return _effect(write, found, found.attempt, {})


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
    changes = {**blank, "state": State.ACTIVE.value, "attempt": attempt}
    connection.execute(_UPDATE, {"sought": write.run, **changes})
    body = {"state": State.ACTIVE.value, "attempt": attempt, "reason": write.reason}
    return _effect(write, found, attempt, body)


def update_run(connection: Connection, write: UpdateRun) -> Effect:
    """Merge values and metadata, whatever the run's state.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = found_run(connection, write)
    changes = {
        "values": numbers_text(write.values, found.values),
        "metadata": merged_metadata(write.metadata, found.metadata),
    }
    if write.name is not None:
        changes["name"] = write.name
    connection.execute(_UPDATE, {"sought": write.run, **changes})
    return _effect(write, found, found.attempt, {})


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
        "values": numbers_text(write.values, found.values),
        "failure": failure_text(write.failure),
        "metadata": merged_metadata(write.metadata, found.metadata),
    }
    connection.execute(_UPDATE, {"sought": write.run, **changes})
    return _effect(write, found, found.attempt, {"state": state.value, "reason": write.reason})


def found_run(connection: Connection, write: RunWrite) -> FoundRun:
    """The present row of the write's run.

    Raises:
        NotFound: No such run.
        StaleSession: A newer session has taken over.
    """
    found = connection.execute(_FOUND, {"sought": write.run}).first()
    if found is None:
        raise no_run(write.run)
    run = FoundRun(*found)
    refuse_stale(write.epoch, run.epoch, run.experiment)
    return run


def _refuse_ended(run: int, found: FoundRun) -> None:
    if found.state not in (State.ACTIVE.value, State.LOST.value):
        rule = f"a run ends once, and run {run} has ended as {found.state} ({found.end_reason})"
        remedy = "Record late facts with UpdateRun; run it anew with CreateRun."
        raise Conflict(rule, remedy=remedy, code="HS-CONFLICT-003")


def _effect(write: RunWrite, found: FoundRun, attempt: int, body: dict[str, Any]) -> Effect:
    facts = {"number": found.number, "state": found.state, **body}
    return Effect(found.experiment, write.run, attempt=attempt, body=facts)


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
        "metadata": merged_metadata(write.metadata),
    }
