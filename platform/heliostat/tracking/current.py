"""Which run is meant when none is named: the innermost one that was entered by ``with run:``.

A thread or task sees what it has entered itself; one that has entered none sees what the main thread has, so
that helper threads of a training log into its run, and threads with runs of their own disturb nobody.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar

from heliostat.tracking.recording import RunRecording

_here: ContextVar[tuple[RunRecording, ...]] = ContextVar("heliostat_runs", default=())
_in_main: tuple[RunRecording, ...] = ()


def enter(run: RunRecording) -> None:
    """Make a run current, inside of those that are."""
    global _in_main  # noqa: PLW0603  # what the main thread has entered is a fact of the process
    _here.set((*_here.get(), run))
    if threading.current_thread() is threading.main_thread():
        _in_main = (*_in_main, run)


def leave(run: RunRecording) -> None:
    """Make the run before it current again."""
    global _in_main  # noqa: PLW0603
    _here.set(_without(_here.get(), run))
    if run in _in_main:
        _in_main = _without(_in_main, run)


def entered() -> RunRecording | None:
    """The innermost open run that was entered here, or else in the main thread."""
    for run in (*reversed(_here.get()), *reversed(_in_main)):
        if run.is_open:
            return run
    return None


def _without(runs: tuple[RunRecording, ...], run: RunRecording) -> tuple[RunRecording, ...]:
    return tuple(item for item in runs if item is not run and item.is_open)
