"""What a program prints, on its way to the run log while it is printed.

Writers only put pieces into a queue; one thread of the process gathers them and appends to the run's texts
once a second, or as soon as there is much. What was shipped survives a kill of the process.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from heliostat.tracking.recording import RunRecording
from heliostat.writes import Reply

EVERY = 1.0
"""Seconds between shipments."""

MUCH = 64 * 2**10
"""Characters that are shipped at once."""

LARGEST_OUTPUT = 64 * 2**20
"""Characters of one stream of one run; what a program prints beyond is not kept."""


@dataclass(frozen=True)
class _Piece:
    run: RunRecording
    stream: str
    text: str


@dataclass(frozen=True)
class _Barrier:
    run: RunRecording
    done: Future[None] = field(default_factory=Future)


@dataclass
class _Gathered:
    """What one stream of one run has yet to ship."""

    pieces: list[str] = field(default_factory=list)
    waiting: int = 0
    kept: int = 0
    shipped: Future[Reply] | None = None


class Shipper:
    """Carries printed text into the log."""

    def __init__(self) -> None:
        # Its put is the one that signal handlers, which may print, can call in the middle of another.
        self._queue: SimpleQueue[_Piece | _Barrier] = SimpleQueue()
        self._gathered: dict[tuple[RunRecording, str], _Gathered] = {}
        self._thread = threading.Thread(target=self._work, name="heliostat-output", daemon=True)
        self._thread.start()

    def is_own_thread(self) -> bool:
        """Whether the shipper itself is printing, which must not be shipped."""
        return threading.current_thread() is self._thread

    def put(self, run: RunRecording, stream: str, text: str) -> None:
        """Take a piece of text; never waits."""
        self._queue.put(_Piece(run, stream, text))

    def settle(self, run: RunRecording) -> None:
        """Wait until all that the run has printed so far is submitted, and forget the run."""
        barrier = _Barrier(run)
        self._queue.put(barrier)
        barrier.done.result()

    def _work(self) -> None:
        due: float | None = None
        while True:
            try:
                item = self._queue.get(timeout=None if due is None else max(0.0, due - time.monotonic()))
            except Empty:
                self._ship_all()
                due = None
                continue
            if isinstance(item, _Barrier):
                self._forget(item.run)
                item.done.set_result(None)
            else:
                self._gather(item)
                due = due or time.monotonic() + EVERY
            if due is not None and time.monotonic() >= due:
                self._ship_all()
                due = None

    def _gather(self, piece: _Piece) -> None:
        found = self._gathered.setdefault((piece.run, piece.stream), _Gathered())
        room = LARGEST_OUTPUT - found.kept
        if room <= 0:
            return
        text = piece.text
        if len(text) >= room:
            text = f"{text[:room]}\n[output beyond {LARGEST_OUTPUT // 2**20} MiB is not kept]\n"
        found.pieces.append(text)
        found.kept += len(text)
        found.waiting += len(text)
        if found.waiting >= MUCH:
            self._ship(piece.run, piece.stream, found)

    def _ship_all(self) -> None:
        for (run, stream), found in self._gathered.items():
            self._ship(run, stream, found)

    def _ship(self, run: RunRecording, stream: str, found: _Gathered) -> None:
        if not found.pieces:
            return
        text = "".join(found.pieces)
        found.pieces, found.waiting = [], 0
        try:
            if found.shipped is not None:
                found.shipped.exception()  # one shipment at a time: a slow log must not be flooded
            found.shipped = run.append_text(stream, text)
        except Exception:  # the log is closed or refuses; a run's errors come out at its end
            found.shipped = None

    def _forget(self, run: RunRecording) -> None:
        for key in [key for key in self._gathered if key[0] is run]:
            self._ship(*key, self._gathered.pop(key))


_shippers: dict[int, Shipper] = {}
_making = threading.Lock()


def shipper() -> Shipper:
    """This process's shipper."""
    process = os.getpid()
    if process not in _shippers:
        with _making:
            if process not in _shippers:
                _shippers[process] = Shipper()
    return _shippers[process]


def _after_fork() -> None:
    global _making  # noqa: PLW0603  # another thread may have held it
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
