"""The end of a program: what was said about studies becomes durable, and what is open is closed."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import weakref
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heliostat_trackers.adapters.recorder import Recorder

_all: weakref.WeakSet[Recorder] = weakref.WeakSet()
_held: set[Recorder] = set()
_finalized: set[int] = set()


def remember(recorder: Recorder) -> None:
    """Let the recorder finish at the end of this program."""
    _all.add(recorder)
    go_first()
    if multiprocessing.parent_process() is not None and os.getpid() not in _finalized:
        _finalized.add(os.getpid())
        Finalize(None, leave, exitpriority=10)  # such processes end without atexit


def go_first() -> None:
    """A log was opened: studies must leave before it does. What is registered last runs first."""
    atexit.unregister(leave)
    atexit.register(leave)


def hold(recorder: Recorder) -> None:
    """Keep the recorder alive while it has open trials, even if its study is gone."""
    _held.add(recorder)


def release(recorder: Recorder) -> None:
    """Nothing is open any more."""
    _held.discard(recorder)


def flush() -> bool:
    """Wait until all that this process's studies have said is durable or refused; ``False`` if it is not."""
    return all([recorder.flush() for recorder in list(_all)])


def leave() -> None:
    """End all studies of this process."""
    for recorder in list(_all):
        recorder.leave()
