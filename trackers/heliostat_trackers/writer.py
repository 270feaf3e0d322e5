"""The group-committing writer: one thread, one connection, one fsync for all writes that wait.

The thread takes what is in the queue, applies it in one transaction, and only then answers all of it. While
it waits for the disk the next batch gathers; so the more threads write, the fewer commits each write costs,
and nobody waits for company.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import Connection

from heliostat.errors import StorageError
from heliostat.writes import Reply, Write
from heliostat_trackers.batch import Item, apply_batch
from heliostat_trackers.columns import digest_of
from heliostat_trackers.engines import Database
from heliostat_trackers.faults import closed_error, storage_error
from heliostat_trackers.line import Answer, Line, give_all
from heliostat_trackers.memory import Memory
from heliostat_trackers.retries import retried

LARGEST_BATCH = 512
"""Bounds how long the first write of a batch waits for the last one to be applied."""

STRAGGLERS = 0.05
"""Seconds without a new write after which callers are woken whom nobody has woken."""

PATIENCE = 30.0
"""Seconds for which a lost connection is made anew: a restart of the database must not fail a sweep."""


@dataclass(frozen=True)
class _Item(Item):
    answer: Answer | Future[Reply]

    def is_awaited(self) -> bool:
        """False if its caller has cancelled it; from here on it cannot."""
        return isinstance(self.answer, Answer) or self.answer.set_running_or_notify_cancel()


class Writer:
    """Applies writes in the order in which they were submitted, many to a commit.

    Args:
        database: Where they go.
        clock: Seconds since the epoch, for events.
        patience: How long a batch is sent again while the connection is lost, in seconds. That is safe: the
            keys tell whether it had arrived.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float], patience: float = PATIENCE) -> None:
        self._engine = database.writing_engine()
        self._turns = database.turns
        self._url = database.url
        self._clock = clock
        self._patience = patience
        self._line: Line[_Item | Future[None]] = Line()
        self._answered: list[Answer] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._connection: Connection | None = None
        self._memory = Memory()
        self._process = os.getpid()
        self._usual = 1
        self._thread = threading.Thread(target=self._work, name="heliostat-run-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, write: Write) -> Future[Reply]:
        """Queue a write; its future is done once the write is durable or refused.

        Raises:
            StorageError: The writer is closed, or belongs to the process that this one was forked from.
            InvalidValue: The write holds something that has no stored form.
        """
        future: Future[Reply] = Future()
        self._put(_Item(write, digest_of(write), future))
        return future

    def apply(self, write: Write) -> Reply:
        """:meth:`submit` and wait; cheaper than both.

        Raises:
            HeliostatError: As :meth:`heliostat_trackers.store.SqlRunLog.apply` says.
        """
        self.refuse_own_thread()
        answer = Answer()
        self._put(_Item(write, digest_of(write), answer))
        return answer.wait()

    def flush(self) -> None:
        """Wait until everything submitted before is durable or refused; nothing to do once closed."""
        self.refuse_own_thread()
        barrier: Future[None] = Future()
        with self._lock:
            if self._is_closed:
                return
            self._refuse_fork()
            self._line.put(barrier)
        barrier.result()

    def close(self) -> None:
        """Flush, end the thread and release the connection. May be called twice."""
        if os.getpid() != self._process:
            return  # a forked child has no such thread; its parent closes
        self.refuse_own_thread()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._line.put(Future())  # the last item there will ever be: wakes the thread up
        self._thread.join()
        atexit.unregister(self.close)

    def refuse_own_thread(self) -> None:
        """Raise StorageError in a callback that would wait for its own thread for ever."""
        if threading.current_thread() is self._thread:
            rule = "a callback of a write's future runs in the writer's thread and cannot wait for it"
            raise StorageError(rule, remedy="Use submit() there, not apply().", code="HS-STORAGE-011")

    def __getstate__(self) -> NoReturn:
        rule = "a run log holds a thread and a connection and cannot be pickled or copied"
        raise StorageError(rule, remedy="Pass its url and open it there.", code="HS-STORAGE-010")

    def _put(self, item: _Item) -> None:
        with self._lock:
            if self._is_closed:
                raise closed_error(self._url)
            self._refuse_fork()
            self._line.put(item)

    def _refuse_fork(self) -> None:
        if os.getpid() != self._process:
            rule = "a run log cannot be used in a process forked from the one that opened it"
            raise StorageError(rule, remedy="Open it again by its url.", code="HS-STORAGE-010")

    def _work(self) -> None:
        while not (self._is_closed and self._line.is_empty()):
            batch = self._taken()
            items = [item for item in batch if isinstance(item, _Item) and item.is_awaited()]
            self._answer(items, self._outcomes(items))
            for barrier in batch:
                if isinstance(barrier, Future):
                    barrier.set_result(None)
        give_all(self._answered)
        self._disconnect()
        self._turns.close()

    def _taken(self) -> list[_Item | Future[None]]:
        # As many callers as were answered a moment ago are about to write again.
        batch = self._line.take(self._usual, LARGEST_BATCH, STRAGGLERS)
        if not batch:
            give_all(self._answered)
            batch = self._line.take(1, LARGEST_BATCH)
        self._usual = len(batch)
        return batch

    def _answer(self, items: Sequence[_Item], outcomes: Sequence[Reply | Exception]) -> None:
        give_all(self._answered)
        self._answered = []
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(item.answer, Answer):
                item.answer.settle(outcome, self._answered[-1] if self._answered else None)
                self._answered.append(item.answer)
            elif isinstance(outcome, Reply):
                item.answer.set_result(outcome)
            else:
                item.answer.set_exception(outcome)
        if self._answered:
            self._answered[0].give()

    def _outcomes(self, items: list[_Item]) -> list[Reply | Exception]:
        """One outcome for each item; if their transaction fails, all of them fail."""
        if not items:
            return []
        try:
            return retried(lambda: self._applied(items), seconds=self._patience, url=self._url)
        except Exception as error:  # whatever it is, the callers must hear of it and the thread live on
            return [storage_error(error, self._url) for _ in items]

    def _applied(self, items: list[_Item]) -> list[Reply | Exception]:
        try:
            with self._turns.turn():
                if self._connection is None:
                    self._connection = self._engine.connect()
                return apply_batch(self._connection, items, self._clock(), self._memory)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Even the rollback may have failed: the next batch begins on a connection without a past.
            connection.invalidate()
            connection.close()
