"""Applying any write once: the key decides whether it is new, repeated or another one under a used key."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from heliostat.errors import Conflict, InvalidValue
from heliostat.writes import (
    AddFile,
    AddNote,
    ChangeExperiment,
    ChangeSuggestion,
    CorrectRun,
    CreateExperiment,
    CreateRun,
    CreateSuggestion,
    CreateTag,
    CreateToken,
    FinishRun,
    FreezeReport,
    LogCheckpoints,
    LogLateValues,
    LogText,
    OpenSession,
    RenewToken,
    Reply,
    RetryRun,
    RevokeToken,
    SettleProject,
    StartRun,
    UpdateRun,
    Write,
)
from heliostat_trackers.attachment_writes import add_file, log_late_values, log_text
from heliostat_trackers.columns import plain_text
from heliostat_trackers.curve_writes import log_checkpoints
from heliostat_trackers.effects import Effect
from heliostat_trackers.experiment_writes import change_experiment, create_experiment, open_session
from heliostat_trackers.memory import Known
from heliostat_trackers.messages import Message
from heliostat_trackers.prepared import Prepared
from heliostat_trackers.project_writes import (
    add_note,
    change_project,
    create_tag,
    create_token,
    renew_token,
    revoke_token,
)
from heliostat_trackers.report_rows import freeze_report
from heliostat_trackers.run_writes import (
    correct_run,
    create_run,
    finish_run,
    retry_run,
    start_run,
    update_run,
)
from heliostat_trackers.suggestion_writes import change_suggestion, create_suggestion
from heliostat_trackers.tables import events
from heliostat_trackers.unit_of_work import UnitOfWork

_TOGETHER: dict[type, Callable[[UnitOfWork, Any], Effect]] = {
    CreateRun: create_run,
    StartRun: start_run,
    RetryRun: retry_run,
    LogCheckpoints: log_checkpoints,
    UpdateRun: update_run,
    FinishRun: finish_run,
    CorrectRun: correct_run,
}
"""Nearly all of the traffic: what they change is gathered over a batch."""

_ALONE: dict[type, Callable[[Connection, Any], Effect]] = {
    CreateExperiment: create_experiment,
    ChangeExperiment: change_experiment,
    OpenSession: open_session,
    LogText: log_text,
    LogLateValues: log_late_values,
    AddFile: add_file,
    FreezeReport: freeze_report,
    SettleProject: change_project,
    AddNote: add_note,
    CreateTag: create_tag,
    CreateToken: create_token,
    RenewToken: renew_token,
    RevokeToken: revoke_token,
    CreateSuggestion: create_suggestion,
    ChangeSuggestion: change_suggestion,
}
_ABOUT_RUNS = (StartRun, RetryRun, LogCheckpoints, UpdateRun, FinishRun, CorrectRun)
_EARLIER = select(events.c.seq, events.c.kind, events.c.digest, events.c.reply).where(
    events.c.key == bindparam("sought")
)
_INSERT = Prepared(insert(events))
_REPLY = ("experiment", "run", "number", "epoch", "attempt", "id")


def apply(connection: Connection, write: Write, *, digest: str, now: float) -> Reply:
    """Apply a write and record its event, or repeat the reply that its key got before.

    Args:
        connection: In a transaction that excludes other writers; the caller undoes it if this raises.
        write: What to do.
        digest: Fingerprint of the write (:func:`heliostat_trackers.columns.digest_of`).
        now: The writer's time.

    Raises:
        Conflict: The key was used for another write, or the run has ended.
        NotFound: Unknown run or experiment.
        StaleSession: A newer session has taken over.
        InvalidValue: The write holds something that cannot be stored.
    """
    earlier = connection.execute(_EARLIER, {"sought": write.key}).first()
    if earlier is not None:
        return _repeated(write, digest, earlier)
    return apply_new(connection, [(write, digest)], now=now)[0]


def apply_new(
    connection: Connection,
    writes: Sequence[tuple[Write, str]],
    *,
    now: float,
    known: Known | None = None,
    is_all: bool = False,
) -> list[Reply]:
    """:func:`apply` for several writes with their digests, whose keys are new.

    A used key breaks a rule of the database. Their events go in together, under numbers counted here: the
    transaction excludes other writers, and events are never deleted.

    Args:
        connection: In a transaction that excludes other writers.
        writes: What to do.
        now: The writer's time.
        known: What need not be read (:class:`heliostat_trackers.unit_of_work.UnitOfWork`).
        is_all: Whether nothing else belongs to the transaction; then it may be committed here.
    """
    unit, closing = UnitOfWork(connection, known), Message(connection)
    unit.expect(
        (write.run for write, _ in writes if isinstance(write, _ABOUT_RUNS)),
        (write.experiment for write, _ in writes if isinstance(write, CreateRun) and write.experiment),
    )
    effects = [_effect_of(unit, write) for write, _ in writes]
    first = unit.add_events(len(writes))
    unit.settle(closing)
    replies, rows = [], []
    for seq, ((write, digest), effect) in enumerate(zip(writes, effects, strict=True), first):
        reply = {name: value for name in _REPLY if (value := getattr(effect, name)) is not None}
        replies.append(Reply(seq, **reply))
        rows.append(
            {
                "seq": seq,
                "key": write.key,
                "digest": digest,
                "time": now,
                "kind": type(write).__name__,
                "experiment": effect.experiment,
                "run": effect.run,
                "body": plain_text(effect.body),
                "reply": plain_text(reply),
            }
        )
    closing.insert(_INSERT, rows)
    if is_all:
        closing.commit()
    closing.send()
    return replies


def _effect_of(unit: UnitOfWork, write: Write) -> Effect:
    together = _TOGETHER.get(type(write))
    if together is not None:
        return together(unit, write)
    alone = _ALONE.get(type(write))
    if alone is None:
        remedy = "Use the writes of heliostat.writes."
        raise InvalidValue("write", "is of an unknown kind", given=type(write).__name__, remedy=remedy)
    unit.settle()
    return alone(unit.connection, write)


def _repeated(write: Write, digest: str, earlier: Any) -> Reply:
    if earlier.digest and earlier.digest != digest:  # a migration may have blanked what it cannot compute
        rule = f"the key {write.key!r} belongs to an earlier {earlier.kind} with other content"
        raise Conflict(rule, remedy="Make a new key for each new write.", code="HS-CONFLICT-004")
    return Reply(earlier.seq, **json.loads(earlier.reply))
