"""Listening to ``sys.stdout`` and ``sys.stderr`` of this process, which go on as they were.

The streams stay the objects they are, so that what holds them (logging's handlers, a notebook) is heard too;
only their ``write`` is wrapped, while runs that capture their output are open.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from heliostat.tracking.capture.output import shipper
from heliostat.tracking.recording import RunRecording

STREAMS = ("stdout", "stderr")

_here: ContextVar[tuple[RunRecording, ...]] = ContextVar("heliostat_runs_listening", default=())
_everywhere: tuple[RunRecording, ...] = ()
_taps: list[_Tap] = []
_changing = threading.RLock()


class _Tap:
    """A stream's ``write``, heard."""

    def __init__(self, name: str, stream: Any) -> None:
        self.name = name
        self.stream = stream
        self._process = os.getpid()
        self._original: Callable[[str], Any] = stream.write
        self._is_own = "write" not in getattr(stream, "__dict__", {})
        stream.write = self._write

    def remove(self) -> bool:
        """Give the stream back, unless somebody has wrapped it since; then this tap stays in the chain."""
        if getattr(self.stream, "__dict__", {}).get("write") != self._write:
            return False
        if self._is_own:
            del self.stream.write
        else:
            self.stream.write = self._original
        return True

    def _write(self, text: Any) -> Any:
        result = self._original(text)
        if isinstance(text, str) and text and os.getpid() == self._process:
            run = _listener()
            if run is not None and not shipper().is_own_thread():
                shipper().put(run, self.name, text)
        return result


def listen(run: RunRecording) -> None:
    """Hear what is printed, for a run: the innermost one that listens here, or else in the process."""
    global _everywhere  # noqa: PLW0603  # the streams are the process's, and so are their listeners
    with _changing:
        _here.set((*_open(_here.get()), run))
        _everywhere = (*_open(_everywhere), run)
        for name in STREAMS:
            stream = getattr(sys, name, None)
            if stream is not None and not any(tap.stream is stream for tap in _taps):
                _tap(name, stream)


def settle(run: RunRecording) -> None:
    """Hear nothing more for a run, and wait until what was heard is submitted."""
    global _everywhere  # noqa: PLW0603
    with _changing:
        _here.set(tuple(item for item in _here.get() if item is not run))
        _everywhere = tuple(item for item in _everywhere if item is not run)
        if not _everywhere:
            _taps[:] = [tap for tap in _taps if not tap.remove()]
    shipper().settle(run)


def _tap(name: str, stream: Any) -> None:
    try:
        _taps.append(_Tap(name, stream))
    except (AttributeError, TypeError):  # a stream of fixed attributes cannot be heard
        return


def _listener() -> RunRecording | None:
    here, everywhere = _here.get(), _everywhere
    for run in reversed(here):
        if run in everywhere:
            return run
    return everywhere[-1] if everywhere else None


def _open(runs: tuple[RunRecording, ...]) -> tuple[RunRecording, ...]:
    return tuple(run for run in runs if run.is_open)


def _after_fork() -> None:
    """A child's output is not heard: its parent, or whoever started the command, hears it."""
    global _everywhere, _changing
    _everywhere, _changing = (), threading.RLock()
    _taps.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
