"""Suggestions made ahead of need: thought of in another process, recorded, and ready when Ray Tune asks."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from heliostat import outcome as ends
from heliostat.engine import Engine, Question
from heliostat.errors import Conflict
from heliostat.trial import Proposal, Run
from heliostat_searchers.thinker import Thinker
from heliostat_searchers.tune.demand import Demand

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between looks at the log while nothing is wanted: a raised budget or a queued point wakes us."""

MOST = 16
"""Most suggestions thought of together: more of one batch know less than they cost."""

Snap = Callable[[Mapping[str, Any]], dict[str, Any]]


class _Closed(Exception):
    """The sweep is over; what was being thought of may not be recorded any more."""


class Ahead:
    """Keeps a few suggestions ready for a sweep; nothing here waits for a model but its own thread.

    Args:
        engine: The experiment's steering.
        snap: What is done to assignments before they are recorded.
    """

    def __init__(self, engine: Engine, snap: Snap = dict) -> None:
        self._engine, self._snap = engine, snap
        self._thinker = Thinker(engine.spec.searcher)
        self._ready: deque[Run] = deque()
        self._changed = threading.Condition()
        self._is_closed = self._has_given_up = self._is_thinking = False
        self._most_live = self._taken = 0
        self._demand = Demand()
        self._thread = threading.Thread(target=self._think_ahead, name="heliostat-think", daemon=True)
        engine.subscribe(self._wake)
        self._thread.start()

    def take(self) -> Run | None:
        """The next run, a lost one first; ``None`` while there is none. Returns at once."""
        with self._changed:
            is_ready = self._ready and not self._engine.is_closed
            run = self._engine.next_waiting() or (self._ready.popleft() if is_ready else None)
            self._taken += run is not None
            self._most_live = max(self._most_live, self._engine.busy + (run is not None))
            self._changed.notify_all()
            return run

    def wake(self) -> None:
        """Something has changed that suggestions depend on."""
        with self._changed:
            self._changed.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever be ready again; a live trial may still be lost and come back."""
        with self._changed:
            engine = self._engine
            is_ready = self._ready and not engine.is_closed
            is_busy = self._is_thinking or is_ready or engine.trials or engine.waiting
            return not is_busy and self._has_no_more_new()

    def close(self) -> None:
        """Stop thinking, let the other process go, and cancel what was ready and never begun."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join(timeout=5)
        self._thinker.close()
        while self._ready:
            left = ends.cancelled({}, "the sweep ended before the run began")
            try:
                self._engine.finish(self._ready.popleft().id, left)
            except Conflict:  # archived, or ended by another door
                continue
        self._engine.log.flush()  # whoever reads the log now finds every end

    def _has_no_more_new(self) -> bool:
        engine = self._engine
        is_exhausted = (engine.is_exhausted or engine.is_closed) and not engine.is_queued
        return self._has_given_up or is_exhausted or engine.remaining == 0

    def _wanted(self) -> int:
        """How many suggestions are missing: some to keep ready, and one for each worker that idles."""
        if self._has_no_more_new():
            return 0
        spare = self._demand.spare if self._most_live > 2 else 1  # few workers learn from each result
        return min(spare + self._idle() - len(self._ready), MOST)

    def _idle(self) -> int:
        return max(0, self._most_live - self._engine.busy)

    def _think_ahead(self) -> None:
        while True:
            with self._changed:
                is_wanted = self._changed.wait_for(lambda: self._is_closed or self._wanted() > 0, LOOK)
                if self._is_closed:
                    return
                self._is_thinking = is_wanted  # what is made meanwhile is recorded before it is ready
                wanted, self._taken = self._wanted(), 0
                has_begun = self._most_live > 0
            try:
                if not is_wanted:
                    self._engine.refresh()
                    continue
                runs = self._engine.suggest(max(wanted, 1), think=self._think)
            except _Closed:
                return
            except Exception:
                logger.exception("no further suggestion can be made; the sweep ends with the running trials")
                self._has_given_up = True
                runs = []
            with self._changed:
                if has_begun:
                    self._demand.note(self._taken + (0 if self._ready else self._idle()))
                self._ready.extend(runs)
                self._is_thinking = False
                self._changed.notify_all()

    def _think(self, question: Question, count: int) -> Sequence[Proposal]:
        proposals = self._thinker.think(question, count)
        if self._is_closed:
            raise _Closed
        return [replace(item, assignments=self._snap(item.assignments)) for item in proposals]

    def _wake(self, run: Run) -> None:
        self.wake()
