"""The writes that a run log accepts, as frozen values: they can be queued, batched, sent and repeated.

Every write has a key made by the client. The log applies a key once; the same write again gets the first
reply, another write under the same key is a :class:`~heliostat.errors.Conflict`. Times are seconds since the
epoch by the client's clock; order is the log's business (:attr:`Reply.seq`).

A write that carries an ``epoch`` is refused with :class:`~heliostat.errors.StaleSession` once a newer session
has been opened on the experiment, so that a driver which was thought dead cannot write behind its
successor's back. A write that carries an ``attempt`` is refused likewise unless that is the run's present
attempt, so that a worker which was thought dead cannot write into its successor's.
"""

from __future__ import annotations

from heliostat.writes.attachments import LARGEST_FILE, AddFile, LogLateValues, LogText
from heliostat.writes.base import Reply, new_key
from heliostat.writes.experiments import (
    SUGGESTION_STATES,
    ChangeExperiment,
    ChangeSuggestion,
    CreateExperiment,
    CreateSuggestion,
    OpenSession,
)
from heliostat.writes.projects import AddNote, CreateTag, CreateToken, RenewToken, RevokeToken, SettleProject
from heliostat.writes.reports import REPORT_KINDS, FreezeReport
from heliostat.writes.runs import (
    CorrectRun,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    RetryRun,
    StartRun,
    UpdateRun,
)

Write = (
    CreateExperiment
    | ChangeExperiment
    | OpenSession
    | CreateSuggestion
    | ChangeSuggestion
    | CreateRun
    | StartRun
    | RetryRun
    | LogCheckpoints
    | UpdateRun
    | FinishRun
    | CorrectRun
    | LogText
    | LogLateValues
    | AddFile
    | FreezeReport
    | SettleProject
    | AddNote
    | CreateTag
    | CreateToken
    | RenewToken
    | RevokeToken
)

__all__ = [
    "LARGEST_FILE",
    "REPORT_KINDS",
    "SUGGESTION_STATES",
    "AddFile",
    "AddNote",
    "ChangeExperiment",
    "ChangeSuggestion",
    "CorrectRun",
    "CreateExperiment",
    "CreateRun",
    "CreateSuggestion",
    "CreateTag",
    "CreateToken",
    "FinishRun",
    "FreezeReport",
    "LogCheckpoints",
    "LogLateValues",
    "LogText",
    "OpenSession",
    "RenewToken",
    "Reply",
    "RetryRun",
    "RevokeToken",
    "SettleProject",
    "StartRun",
    "UpdateRun",
    "Write",
    "new_key",
]
