"""The one who hands out an experiment's suggestions, to any number of askers.

Reports need no steward: any process may write values, curves and ends into the run log, and the steward reads
them there before it suggests. So it is only asked for what must have one owner: which point is whose.

It is disposable. All that matters is in the log before it is answered: its successor opens a new session,
replays, and answers a repeated asking with the same runs. What a predecessor still tries to write is refused.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from heliostat.engine import Engine
from heliostat.errors import Conflict, StaleSession
from heliostat.ports import RunLog, Searcher
from heliostat.steering.leases import Leases
from heliostat.steering.requests import CONTENT, KEY, Answer, Ask, Status
from heliostat.trial import Proposal, Run

logger = logging.getLogger("heliostat")

SESSIONS = 3
"""Times that an asking is tried anew after somebody else took the experiment over."""


@dataclass
class _Waiting:
    ask: Ask
    began: float
    future: Future[Answer] = field(default_factory=Future)


class Steward:
    """Answers askings one batch after the other, in a thread of its own; safe for use by many threads.

    Askings that come while a searcher thinks are answered together, by one question for as many points.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        make_searcher: What proposes; by default the searcher that the experiment names, in this process.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        log: RunLog,
        experiment: int,
        *,
        make_searcher: Callable[[str], Searcher] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log, self._id, self._clock = log, experiment, clock
        self._make_searcher = make_searcher
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._is_closed = self._is_nudged = self._is_unsure = False
        self._answered = 0
        self._open_session()
        self.used = time.monotonic()
        self._thread = threading.Thread(
            target=self._work, name=f"heliostat-steward-{experiment}", daemon=True
        )
        self._thread.start()

    def ask(self, ask: Ask) -> Future[Answer]:
        """Runs for an asker; they are durable once the future is done.

        Errors: ``Conflict`` (the key belongs to another asking), ``InvalidValue`` (the own point is not
        legal), ``StaleSession`` (others keep taking the experiment over), ``StorageError``.
        """
        item = _Waiting(ask, time.monotonic())
        with self._changed:
            if self._is_closed:
                raise StaleSession("this steward was let go", remedy="Ask its successor.")
            self._waiting.append(item)
            self.used = item.began
            self._changed.notify()
        return item.future

    def nudge(self) -> None:
        """Something was reported: think of the next suggestion while nobody waits for it."""
        with self._changed:
            self._is_nudged = True
            self.used = time.monotonic()
            self._changed.notify()

    def status(self) -> Status:
        """How it stands."""
        engine = self._engine
        with self._changed:
            waiting = len(self._waiting)
        return Status(self._id, engine.epoch or 0, waiting, self._answered, engine.pulse())

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _open_session(self) -> None:
        self._engine = Engine(self._log, self._id, clock=self._clock)
        if self._make_searcher is not None:
            self._engine.use(self._make_searcher(self._engine.spec.searcher))
        self._leases = Leases(self._engine)
        self._made: dict[str, set[int]] = defaultdict(set)
        for run in self._engine.runs():
            self._note(run)
        self._engine.subscribe(self._note)

    def _note(self, run: Run) -> None:
        key = run.sys_metadata.get(KEY)
        if isinstance(key, str):
            self._made[key].add(run.id)
        self._leases.note(run)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_nudged or self._is_closed)
                # Who has given up is left out; from here on nobody can, so that every run has an asker.
                batch = [item for item in self._waiting if item.future.set_running_or_notify_cancel()]
                self._waiting.clear()
                self._is_nudged = False
                if self._is_closed and not batch:
                    return
            if batch:
                self._settle(batch)
            else:
                self._think_ahead()

    def _settle(self, batch: list[_Waiting]) -> None:
        """Answer a batch; an error is the asker's, never this thread's end."""
        for session in range(SESSIONS + 1):
            try:
                self._answer_all(batch)
                return
            except StaleSession as error:
                logger.info("experiment %d was taken over; taking it back", self._id)
                if session == SESSIONS:
                    self._refuse(batch, error)
                    return
                try:
                    self._open_session()
                except Exception as broken:
                    self._refuse(batch, broken)
                    return
            except Exception as error:
                self._refuse(batch, error)
                return

    def _answer_all(self, batch: list[_Waiting]) -> None:
        if self._is_unsure or any(item.ask.assignments is not None for item in batch):
            self._engine.refresh()  # what is suggested looks for news itself
            self._is_unsure = False
        fresh: list[_Waiting] = []
        contents: dict[str, str] = {}
        for item in batch:
            if item.future.done():
                continue
            try:
                if contents.setdefault(item.ask.key, item.ask.content) != item.ask.content:
                    raise _other_asking(item.ask)
                known = self._known(item.ask)
                if len(known) >= item.ask.count:
                    self._reply(item, known)
                elif item.ask.assignments is not None:
                    self._reply(item, [*known, *self._own_point(item.ask)])
                else:
                    fresh.append(item)
            except StaleSession:
                raise
            except Exception as error:
                self._refuse([item], error)
        for beyond in (False, True):
            self._hand_out([item for item in fresh if item.ask.beyond_budget is beyond], beyond)

    def _known(self, ask: Ask) -> list[Run]:
        """The runs that an earlier asking with this key got."""
        got = [self._engine.get(id) for id in sorted(self._made.get(ask.key, ()))]
        found = [
            run for run in got if run.sys_metadata.get(KEY) == ask.key
        ]  # a lost one may be another's now
        if any(run.sys_metadata.get(CONTENT) != ask.content for run in found):
            raise _other_asking(ask)
        return found

    def _own_point(self, ask: Ask) -> list[Run]:
        spec = self._engine.spec
        legal, task = spec.space.check(dict(ask.assignments or {}), in_bounds=False), spec.task(ask.task)
        point = Proposal(legal, None if task is None else task.name, "the user's own point")
        return self._engine.admit([point], origin="user", labels=[ask.label])

    def _hand_out(self, items: Sequence[_Waiting], beyond: bool) -> None:
        """Give everybody their points: what is ready at once, the rest when it has been thought of."""
        asked: dict[str, _Waiting] = {}
        for item in items:  # who asks again with the same key, while the first asking waits, asks once
            asked.setdefault(item.ask.key, item)
        wants = [item for item in asked.values() for _ in range(item.ask.count - len(self._known(item.ask)))]
        while wants:
            lost = self._leases.reclaimed(wants[0].ask)
            if lost is not None:
                made = [lost]
            else:
                ready = self._engine.ready if len(wants) > 1 else 1
                count = min(len(wants), ready) or len(wants)
                labels = [item.ask.label for item in wants[:count]]
                made = self._engine.suggest(count, ahead=True, labels=labels, beyond_budget=beyond)
            if not made:
                break
            wants = wants[len(made) :]
            self._reply_full(items)
        self._reply_rest(items)

    def _reply_full(self, items: Sequence[_Waiting]) -> None:
        for item in items:
            if not item.future.done() and len(found := self._known(item.ask)) >= item.ask.count:
                self._reply(item, found)

    def _reply_rest(self, items: Sequence[_Waiting]) -> None:
        for item in items:
            if not item.future.done():
                used_up = self._engine.remaining == 0
                reason = "the budget is used up" if used_up else "every point of the space was handed out"
                self._reply(item, self._known(item.ask), reason)

    def _reply(self, item: _Waiting, runs: Sequence[Run], reason: str = "") -> None:
        self._answered += 1
        seconds = time.monotonic() - item.began
        item.future.set_result(Answer(tuple(runs), bool(reason), reason, seconds))

    def _refuse(self, batch: Sequence[_Waiting], error: Exception) -> None:
        self._is_unsure = True  # a write that failed may have reached the log all the same
        for item in batch:
            if not item.future.done():
                item.future.set_exception(error)

    def _think_ahead(self) -> None:
        try:
            self._engine.prefetch(max(1, self._engine.spec.parallel_bandwidth or 1))
        except Exception:  # whoever asks next is told
            logger.warning("thinking ahead of experiment %d failed", self._id, exc_info=True)


def _other_asking(ask: Ask) -> Conflict:
    rule = f"the key {ask.key[:40]!r} belongs to another asking"
    return Conflict(rule, remedy="Make a new key for each new asking.", code="HS-CONFLICT-004")
