"""Why Optuna fails a trial."""

from __future__ import annotations

import sys
from types import FrameType

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat_trackers.adapters.outcomes import broken

DEEPEST = 12
"""Frames between the storage and the loop that ran the objective; there are four in Optuna 5.0."""


def cause_of_failure() -> Outcome:
    """The end of the trial that the calling thread is failing.

    The storage is told that a trial failed, and not why: Optuna has left its ``except`` block by then and
    only its frames still hold the exception. Where they do not (another version, a trial that the user told
    to have failed), the reason is what the thread is handling, or nothing.
    """
    error, message = sys.exc_info()[1], ""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(DEEPEST):
        if frame is None:
            break
        if str(frame.f_globals.get("__name__")).startswith("optuna."):
            held = frame.f_locals
            error = held.get("func_err") or error
            message = held.get("values_conversion_failure_message") or message
            if frame.f_code.co_name == "fail_stale_trials":
                return ends.lost({}, "its process sent no more heartbeats")
        frame = frame.f_back
    if isinstance(error, BaseException):
        return broken(error)
    return ends.raised(
        {}, "bad_value" if message else "user_error", message or "the trial was told to have failed"
    )
