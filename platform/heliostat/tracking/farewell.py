"""The end of a process: runs that it opened and nobody ended are ended then."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from types import TracebackType
from typing import Any

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat.tracking import children
from heliostat.tracking.run_context import RunContext, outcome_of
from heliostat.trial import State

logger = logging.getLogger("heliostat")

_open: list[RunContext] = []
_process = 0
_uncaught: BaseException | None = None
_exit_code: Any = None


def end_with_process(run: RunContext) -> None:
    """End the run with this process, if it is open then: failed by an uncaught exception, or completed."""
    global _process  # noqa: PLW0603  # the process's end is one
    if _process != os.getpid():
        _open.clear()
        if _process == 0:
            _watch()
        _process = os.getpid()
        children.at_end(_end_all, priority=20)
    _open[:] = [*(item for item in _open if item.is_open), run]
    atexit.unregister(_end_all)
    atexit.register(_end_all)  # anew each time: it must come before the farewell of any log opened since


def go_on() -> None:
    """The program is alive: a ``sys.exit`` that was called has been caught."""
    global _exit_code  # noqa: PLW0603
    _exit_code = None


def _end_all() -> None:
    if _process != os.getpid():
        return
    outcome = _last_outcome()
    for run in reversed(_open):
        try:
            if run.is_open:
                run.finish(outcome)
        except Exception as error:
            logger.error("run %d could not be ended: %s", run.id, error)
    _open.clear()


def _last_outcome() -> Outcome:
    if _uncaught is not None:
        return outcome_of(_uncaught)
    if _exit_code not in (None, 0):
        return ends.raised({}, "exit_code", f"exit code {_exit_code}")
    return Outcome(State.COMPLETED, "the program ended")


def _watch() -> None:
    """Notice how the program ends: Python does not tell ``atexit``."""
    hook, leave = sys.excepthook, sys.exit

    def noted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        global _uncaught  # noqa: PLW0603
        _uncaught = error
        hook(kind, error, trace)

    def noted_exit(status: Any = None, /) -> Any:
        global _exit_code  # noqa: PLW0603
        _exit_code = status
        leave(status)

    sys.excepthook, sys.exit = noted, noted_exit
