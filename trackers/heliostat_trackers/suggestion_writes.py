"""Applying the writes about suggestions: from the queue to a client's hands, and away."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from heliostat.errors import Conflict, InvalidValue, NotFound, no_experiment
from heliostat.writes import SUGGESTION_STATES, ChangeSuggestion, CreateSuggestion
from heliostat_trackers.columns import free_text, merged_text
from heliostat_trackers.effects import Effect, inserted_id, refuse_stale
from heliostat_trackers.tables import experiments, suggestions

_NEXT: dict[str, tuple[str, ...]] = {
    "queued": ("open", "deleted"),
    "open": ("closed", "deleted"),
    "closed": ("deleted",),
    "deleted": (),
}
_FOUND = select(suggestions.c.experiment, suggestions.c.state).where(suggestions.c.id == bindparam("sought"))
_CLOSE = update(suggestions).where(suggestions.c.id == bindparam("sought"))


def create_suggestion(connection: Connection, write: CreateSuggestion) -> Effect:
    """Keep a suggestion.

    Raises:
        NotFound: No such experiment.
        StaleSession: A newer session has taken over.
        InvalidValue: It can only begin queued or open.
    """
    if write.state not in ("queued", "open"):
        raise InvalidValue("state", "must be queued or open", given=write.state, remedy="Choose one.")
    _refuse_stale(connection, write.experiment, write.epoch)
    row = {
        "experiment": write.experiment,
        "assignments": free_text(write.assignments, "assignments"),
        "state": write.state,
        "task": write.task,
        "origin": write.origin,
        "why": write.why,
        "metadata": merged_text(write.metadata),
        "created": float(write.time),
    }
    id = inserted_id(connection.execute(insert(suggestions), row))
    return Effect(write.experiment, body={"suggestion": id, "state": write.state}, id=id)


def change_suggestion(connection: Connection, write: ChangeSuggestion) -> Effect:
    """Move a suggestion on.

    Raises:
        NotFound: No such suggestion.
        StaleSession: A newer session has taken over.
        Conflict: It cannot get to that state from where it is.
        InvalidValue: There is no such state.
    """
    if write.state not in SUGGESTION_STATES:
        remedy = f"Use one of {', '.join(SUGGESTION_STATES)}."
        raise InvalidValue("state", "is no state of suggestions", given=write.state, remedy=remedy)
    own = suggestions.c.id == write.suggestion
    found = connection.execute(_FOUND, {"sought": write.suggestion}).first()
    if found is None:
        remedy = "List them with log.suggestions(experiment)."
        raise NotFound("no suggestion has this id", given=write.suggestion, remedy=remedy)
    _refuse_stale(connection, found.experiment, write.epoch)
    if write.state not in _NEXT[found.state]:
        rule = f"suggestion {write.suggestion} is {found.state} and cannot become {write.state}"
        raise Conflict(rule, remedy="Read it again.", code="HS-CONFLICT-007")
    changes: dict[str, Any] = {"state": write.state}
    if write.run is not None:
        changes["run"] = write.run
    connection.execute(update(suggestions).where(own).values(changes))
    body = {"suggestion": write.suggestion, "state": write.state}
    return Effect(found.experiment, write.run, body=body, id=write.suggestion)


def refuse_unqueued(connection: Connection, suggestion: int, experiment: int) -> None:
    """Make sure that a suggestion waits in the experiment's queue.

    Raises:
        NotFound: The experiment has no such suggestion.
        Conflict: It was taken already, or deleted.
    """
    found = connection.execute(_FOUND, {"sought": suggestion}).first()
    if found is None or found.experiment != experiment:
        rule, remedy = f"experiment {experiment} has no such suggestion", "List them with log.suggestions()."
        raise NotFound(rule, given=suggestion, remedy=remedy)
    if found.state != "queued":
        rule = f"suggestion {suggestion} is {found.state} and waits in the queue no more"
        raise Conflict(rule, remedy="Take the next one.", code="HS-CONFLICT-009")


def close_suggestion(connection: Connection, suggestion: int, run: int) -> None:
    """A run has taken it up."""
    connection.execute(_CLOSE, {"sought": suggestion, "state": "closed", "run": run})


def _refuse_stale(connection: Connection, experiment: int, epoch: int | None) -> None:
    newest = connection.scalar(select(experiments.c.epoch).where(experiments.c.id == experiment))
    if newest is None:
        raise no_experiment(experiment)
    refuse_stale(epoch, newest, experiment)
