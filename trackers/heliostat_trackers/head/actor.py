"""The actor on the head node: the only process that writes to the file."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import ray

from heliostat import __version__
from heliostat.errors import HeliostatError, StorageError
from heliostat.writes import Reply
from heliostat_trackers.head.wire import Answer, packed_answer, packed_outcomes, unpacked_write
from heliostat_trackers.store import SqlRunLog

BATCHES = 32
"""Batches at a time; they share commits, and more of them wait without harm."""

READS = 2
"""Reads at a time; more wait, so that a crowd of readers leaves the writer its share of Python's one lock."""

GROUPS = {"reads": READS, "greetings": 1}
"""Threads for each kind of call besides writes, so that none waits behind another kind."""

GAP_SECONDS = 1.0
"""How long a batch waits for the one before it; its client then sends both again."""

CLIENTS = 100_000
"""Clients whose order is remembered; a forgotten one is taken up where it says that it is."""

_SWITCH_SECONDS = 0.0005
"""A big read works in Python for a second; this is how long it may keep Python's one lock from a write."""


Method = TypeVar("Method", bound=Callable[..., Any])


def _in_group(name: str) -> Callable[[Method], Method]:
    return cast("Callable[[Method], Method]", ray.method(concurrency_group=name))  # Ray has no types


@dataclass(frozen=True)
class Greeting:
    """Who answers: the actor's process id and its Heliostat's version."""

    pid: int
    version: str


class Line:
    """The order of one client's batches, which Ray may deliver in any order."""

    def __init__(self) -> None:
        self._next = 0
        self._moved = threading.Condition()

    @contextlib.contextmanager
    def turn(self, number: int, first: int) -> Iterator[bool]:
        """Wait for a batch's turn and keep it; one that comes again has had its turn.

        Args:
            number: Of the batch.
            first: The oldest batch that its client still waits for.

        Returns:
            ``False`` if an earlier batch has not come.
        """
        with self._moved:
            if first > self._next:
                self._advance(first)
            if not self._moved.wait_for(lambda: number <= self._next, GAP_SECONDS):
                yield False
                return
            yield True
            if number == self._next:
                self._advance(number + 1)

    def _advance(self, number: int) -> None:
        self._next = number
        self._moved.notify_all()


class HeadLog:
    """Serves one file to the whole cluster.

    Batches of writes are submitted to the log's own writer thread in the order of each client and answered
    once they are durable. The actor keeps nothing that its successor needs: after a crash clients repeat what
    was not answered, and the log knows what it has applied already.

    Args:
        path: The SQLite file on this machine.
    """

    def __init__(self, path: str) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._path = Path(path)
        self._log: SqlRunLog | None = None
        self._lock = threading.Lock()
        self._lines: OrderedDict[str, Line] = OrderedDict()

    @_in_group("greetings")
    def greet(self) -> Answer:
        """A :class:`Greeting`, once the file is open."""
        return _answer(lambda _: Greeting(os.getpid(), __version__), self._opened)

    def write(self, client: str, number: int, first: int, writes: Sequence[bytes]) -> bytes | None:
        """Apply a batch.

        Args:
            client: Who sends.
            number: Place of the batch among the client's: 0, 1, …
            first: The oldest batch that the client still waits for.
            writes: The writes, packed.

        Returns:
            Their packed outcomes; ``None`` if an earlier batch is missing and this one must be sent again.
        """
        with self._line(client).turn(number, first) as is_its_turn:
            if not is_its_turn:
                return None
            submitted = self._submitted(writes)
        return packed_outcomes([_outcome(item) for item in submitted])

    @_in_group("reads")
    def read(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> Answer:
        """A read of :class:`heliostat.ports.RunLog` by name; what it raises is in the answer."""

        def found(log: SqlRunLog) -> Any:
            attribute = getattr(log, name)
            return attribute(*args, **options) if callable(attribute) else attribute

        return _answer(found, self._opened)

    def _submitted(self, writes: Sequence[bytes]) -> list[Future[Reply] | Exception]:
        try:
            log = self._opened()
        except StorageError as error:
            return [error for _ in writes]
        return [_submitted(log, data) for data in writes]

    def _opened(self) -> SqlRunLog:
        """The log; one that cannot be opened is tried again with the next call."""
        with self._lock:
            if self._log is None:
                self._log = SqlRunLog(f"sqlite:///{self._path}")
            return self._log

    def _line(self, client: str) -> Line:
        with self._lock:
            line = self._lines.setdefault(client, Line())
            self._lines.move_to_end(client)
            if len(self._lines) > CLIENTS:
                self._lines.popitem(last=False)
            return line


def _answer(found: Callable[[SqlRunLog], Any], opened: Callable[[], SqlRunLog]) -> Answer:
    try:
        return packed_answer(found(opened()))
    except HeliostatError as error:
        return packed_answer(error)


def _submitted(log: SqlRunLog, data: bytes) -> Future[Reply] | Exception:
    try:
        return log.submit(unpacked_write(data))
    except HeliostatError as refused:
        return refused
    except Exception as error:  # a write that this Heliostat does not know; its neighbours must not suffer
        text = f"the head node cannot read the write ({type(error).__name__}: {error})"
        remedy = "Install the same Heliostat on all nodes."
        return StorageError(text, remedy=remedy, code="HS-STORAGE-034")


def _outcome(submitted: Future[Reply] | Exception) -> Reply | Exception:
    if isinstance(submitted, Exception):
        return submitted
    try:
        return submitted.result()
    except Exception as error:
        return error
