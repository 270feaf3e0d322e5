"""Child processes: forking at a good moment, and the farewell of those that leave without Python's usual one.

SQLite has locks that all threads of a process share. A child that is forked while another thread writes gets
a copy that nobody will ever release; so writes stand still while a process forks.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from heliostat.ports import RunLog
from heliostat.registry import shared_log

_flushed: set[tuple[int, str]] = set()
_used: weakref.WeakSet[RunLog] = weakref.WeakSet()
writing = threading.RLock()
"""Held while a write is submitted."""


def use(log: RunLog) -> None:
    """Remember that this process writes to the log."""
    _used.add(log)


def at_end(last: Callable[[], Any], *, priority: int) -> None:
    """If this is a child of :mod:`multiprocessing`, call `last` when it ends; higher priorities first.

    Those that were forked leave without :mod:`atexit`.
    """
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(None, last, exitpriority=priority)


def flush_at_end(url: str) -> None:
    """If this is a child of :mod:`multiprocessing`, flush its shared log when it ends."""
    process = (os.getpid(), url)
    if process not in _flushed:
        _flushed.add(process)
        at_end(shared_log(url).flush, priority=10)


def _before_fork() -> None:
    writing.acquire()
    for log in list(_used):
        log.flush()


def _after_fork_in_parent() -> None:
    writing.release()


def _after_fork_in_child() -> None:
    global writing  # noqa: PLW0603  # other threads may have waited for it
    writing = threading.RLock()
    _used.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
