"""The thread that sends a process's writes: in order, many to a call, again until they are answered."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from heliostat.errors import StorageError
from heliostat.writes import Reply
from heliostat_trackers.faults import closed_error
from heliostat_trackers.head.link import Unreachable, outcomes_of

logger = logging.getLogger("heliostat")

IN_FLIGHT = 3
"""Batches under way: one on the disk, one behind it, one on its way."""

LARGEST_BATCH = 512
LARGEST_CALL = 4 * 2**20
"""Writes and bytes of one call."""

MOST_WAITING = 10_000
MOST_BYTES = 64 * 2**20
"""Unanswered writes and their bytes, beyond which :meth:`Sender.put` waits."""

EXIT_SECONDS = 15.0
"""How long the end of the process waits for answers."""

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
_TICK_SECONDS = 1.0

Post = Callable[[str, int, int, Sequence[bytes]], "Future[bytes | None]"]


@dataclass(frozen=True)
class _Item:
    data: bytes
    future: Future[Reply] = field(default_factory=Future)


@dataclass
class _Batch:
    number: int
    items: list[_Item]
    born: float
    answer: Future[bytes | None] | None = None


class Sender:
    """Queues packed writes and settles their futures.

    Args:
        post: Sends a batch; raises :class:`~heliostat_trackers.head.link.Unreachable`.
        is_connected: Whether calls under way may still be answered.
        url: The log's URL, for errors.
        patience: Seconds that a write is repeated, and that :meth:`put` waits for room.
    """

    def __init__(self, post: Post, *, is_connected: Callable[[], bool], url: str, patience: float) -> None:
        self._post = post
        self._is_connected = is_connected
        self._url = url
        self._patience = patience
        self._client = uuid.uuid4().hex
        # Reentrant: a signal's handler may submit while this very thread does.
        self._lock = threading.RLock()
        self._work_there = threading.Condition(self._lock)
        self._settled_more = threading.Condition(self._lock)
        self._queue: deque[_Item] = deque()
        self._window: deque[_Batch] = deque()
        self._number = 0
        self._submitted = self._settled = self._bytes = 0
        self._failures = 0
        self._retry_at = 0.0
        self._is_closed = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._work, name="heliostat-head-log", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def put(self, data: bytes) -> Future[Reply]:
        """Queue a packed write; waits for room if too much is unanswered.

        Raises:
            StorageError: The log is closed, there was no room in time, or this is a forked process.
        """
        item = _Item(data)
        item.future.set_running_or_notify_cancel()  # what is queued cannot be called back
        with self._lock:
            self._refuse_unusable()
            if not self._has_room(len(data)):
                self._wait_for_room(len(data))
            self._queue.append(item)
            self._submitted += 1
            self._bytes += len(data)
            self._work_there.notify()
        return item.future

    def flush(self) -> None:
        """Wait until everything submitted before is durable or refused; nothing to do once closed."""
        self.refuse_own_thread()
        with self._lock:
            self._refuse_fork()
            target = self._submitted
            self._settled_more.wait_for(lambda: self._settled >= target)

    def close(self) -> None:
        """Flush and end the thread. May be called twice."""
        if os.getpid() != self._process:
            return  # a forked child has no such thread; its parent closes
        self.refuse_own_thread()
        with self._lock:
            self._is_closed = True
            self._work_there.notify()
        self._thread.join()
        atexit.unregister(self._end)

    def refuse_own_thread(self) -> None:
        """Raise StorageError in a callback that would wait for its own thread for ever."""
        if threading.current_thread() is self._thread:
            rule = "a callback of a write's future runs in the sender's thread and cannot wait for it"
            raise StorageError(rule, remedy="Use submit() there, not apply().", code="HS-STORAGE-011")

    def _end(self) -> None:
        """At the process's end there is little time, and none if the cluster has gone."""
        with self._lock:
            self._patience = min(self._patience, EXIT_SECONDS if self._is_connected() else 0.0)
        self.close()

    def _refuse_unusable(self) -> None:
        if self._is_closed:
            raise closed_error(self._url)
        self._refuse_fork()

    def _refuse_fork(self) -> None:
        if os.getpid() != self._process:
            rule = "a run log cannot be used in a process forked from the one that opened it"
            raise StorageError(rule, remedy="Open it again by its url.", code="HS-STORAGE-010")

    def _has_room(self, size: int) -> bool:
        waiting = self._submitted - self._settled
        return waiting == 0 or (waiting < MOST_WAITING and self._bytes + size <= MOST_BYTES)

    def _wait_for_room(self, size: int) -> None:
        if threading.current_thread() is self._thread:
            return  # a callback must not wait for the thread that it runs in
        if not self._settled_more.wait_for(lambda: self._is_closed or self._has_room(size), self._patience):
            rule = f"no room for the write within {self._patience:g} s"
            detail = f"{self._submitted - self._settled} writes wait for the head node"
            remedy = "See `ray status`; the write was not taken and may be submitted again."
            raise StorageError(f"{rule}: {detail}", remedy=remedy, code="HS-STORAGE-033")
        self._refuse_unusable()

    def _work(self) -> None:
        while self._awaited():
            try:
                self._settle_answered()
                self._give_up_late()
                self._send()
            except Exception as error:  # a defect: whoever waits must hear of it
                logger.exception("the run log %s cannot be sent to", self._url)
                self._refuse_all(f"were not sent ({type(error).__name__}: {error})")

    def _awaited(self) -> bool:
        """Wait for something to do; ``False`` once all is done for good."""
        with self._lock:
            while not (self._window or self._queue):
                if self._is_closed:
                    return False
                self._work_there.wait()
            if not self._is_due():
                self._work_there.wait(self._pause())
            return True

    def _is_due(self) -> bool:
        if self._window and (answer := self._window[0].answer) is not None and answer.done():
            return True
        may_send = time.monotonic() >= self._retry_at
        if any(batch.answer is None for batch in self._window):
            return may_send
        return may_send and bool(self._queue) and len(self._window) < IN_FLIGHT

    def _pause(self) -> float:
        left = self._retry_at - time.monotonic()
        return min(left, _TICK_SECONDS) if left > 0 else _TICK_SECONDS

    def _settle_answered(self) -> None:
        """Take the answers that have come, in the order of the writes."""
        while self._window and (answer := self._window[0].answer) is not None:
            if not answer.done():
                if not self._is_connected():  # its answer will never come
                    self._recall()
                return
            batch = self._window[0]
            outcomes = outcomes_of(answer, len(batch.items))
            if outcomes is None:
                self._recall()
                return
            self._failures, self._retry_at = 0, 0.0
            self._window.popleft()
            self._settle(batch.items, outcomes)

    def _recall(self) -> None:
        """Send again, after a pause, whatever is not on its way any more."""
        for batch in self._window:
            answer = batch.answer
            if answer is None or (self._is_connected() and not answer.done()):
                continue
            if not answer.done() or outcomes_of(answer, len(batch.items)) is None:
                batch.answer = None
        self._note_failure()

    def _note_failure(self) -> None:
        self._retry_at = time.monotonic() + _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1

    def _settle(self, items: Sequence[_Item], outcomes: Sequence[Reply | Exception]) -> None:
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Reply):
                item.future.set_result(outcome)
            else:
                item.future.set_exception(outcome)
        with self._lock:
            # Only now: whoever has flushed may rely on the futures' callbacks.
            self._settled += len(items)
            self._bytes -= sum(len(item.data) for item in items)
            self._settled_more.notify_all()

    def _give_up_late(self) -> None:
        """Refuse everything once the oldest batch has been tried for too long."""
        if not self._window or time.monotonic() - self._window[0].born < self._patience:
            return
        self._refuse_all(f"were not acknowledged within {self._patience:g} s")

    def _refuse_all(self, what: str) -> None:
        with self._lock:
            items = [*(item for batch in self._window for item in batch.items), *self._queue]
            self._queue.clear()
            self._window.clear()
        rule = f"{len(items)} writes to the run log {self._url} {what}"
        remedy = "See `ray status`; they may be sent again with the same keys."
        logger.error("%s. %s", rule, remedy)
        self._settle(items, [StorageError(rule, remedy=remedy, code="HS-STORAGE-032") for _ in items])

    def _send(self) -> None:
        """Send, in their order, the batches that must be repeated and one of what is queued."""
        if time.monotonic() < self._retry_at:
            return
        if self._queue and len(self._window) < IN_FLIGHT:
            self._window.append(_Batch(self._number, self._gathered(), time.monotonic()))
            self._number += 1
        for batch in self._window:
            if batch.answer is None:
                try:
                    batch.answer = self._posted(batch)
                except Unreachable as error:
                    logger.debug("the run log %s is out of reach: %s", self._url, error)
                    self._note_failure()
                    return

    def _gathered(self) -> list[_Item]:
        items: list[_Item] = []
        size = 0
        with self._lock:
            while self._queue and len(items) < LARGEST_BATCH:
                size += len(self._queue[0].data)
                if items and size > LARGEST_CALL:
                    break
                items.append(self._queue.popleft())
        return items

    def _posted(self, batch: _Batch) -> Future[bytes | None]:
        first = self._window[0].number
        answer = self._post(self._client, batch.number, first, [item.data for item in batch.items])
        answer.add_done_callback(self._wake)
        return answer

    def _wake(self, _: Future[bytes | None]) -> None:
        with self._lock:
            self._work_there.notify()
