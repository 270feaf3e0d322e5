"""One experiment's steering: what is tried next, and what became of it.

The engine is disposable. A new one takes the next epoch, replays the log and goes on; whatever an older one
still tries to write is refused. Every door (Python loop, Ray Tune, later HTTP) is a thin client of it. What
others change in the log meanwhile (the declaration, the queue, corrected and archived runs) it takes up
before its next suggestion.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property
from typing import Any

from heliostat.analysis import budget_used
from heliostat.analysis.counts import COST_DIGITS
from heliostat.engine.book import Book, Listener, snapshot
from heliostat.engine.following import Following
from heliostat.engine.lookahead import LookAhead, Think, answered
from heliostat.engine.offers import admitted
from heliostat.engine.question import Offer, Question
from heliostat.engine.queue import Queue
from heliostat.engine.recommendation import recommended
from heliostat.engine.sources import read_sources
from heliostat.errors import Conflict, StaleSession
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome, sift
from heliostat.ports import RunLog, Searcher
from heliostat.registry import make_searcher
from heliostat.trial import Checkpoint, History, Measurement, Proposal, Run, State
from heliostat.writes import FinishRun, LogCheckpoints, OpenSession, Reply, RetryRun, StartRun, UpdateRun

logger = logging.getLogger("heliostat")

ATTEMPTS = 3
"""Attempts of a run before a dying worker is taken for its own doing."""


class Engine:
    """The steering of one experiment in this process; safe for use by many threads.

    Args:
        log: Where everything is recorded.
        experiment: Its identity in the log.
        clock: Seconds since the epoch.

    Attributes:
        spec: The declaration, as of the last :meth:`refresh`.
        waiting: Open runs to hand out again: those whose driver was gone when this session began, and those
            that were lost since. See :meth:`next_waiting`.
        is_exhausted: Whether the searcher has no further point of the space to offer.
        trials: Ray Tune's id of each running trial → the run's id.
    """

    def __init__(self, log: RunLog, experiment: int, *, clock: Callable[[], float] = time.time) -> None:
        self.log = log
        self.id = experiment
        self.clock = clock
        self.spec: ExperimentSpec = log.experiment(experiment).spec
        owner = f"{socket.gethostname()}:{os.getpid()}"
        opened = log.apply(OpenSession(experiment, owner, time=clock()))
        self.epoch = opened.epoch
        self._book = Book(experiment)
        self._lock = self._book.lock
        self._following = Following(log, self._book, after=opened.seq)
        self.spec = log.experiment(experiment).spec  # as it is after the place that is followed from
        self._book.fill(log.runs(experiment, curves=True))
        self._queue = Queue(log, experiment)
        self._handing_out = threading.RLock()
        self._thinking = threading.RLock()
        self._reported: dict[int, dict[str, Any]] = {}
        self._searcher: Searcher | None = None
        self._ahead = LookAhead(self.question, self._answer)
        self.trials: dict[str, int] = {}
        self.is_exhausted = False
        self.write_error: Exception | None = None
        open_runs = (run for run in self._book.all() if run.state.is_open and not run.archived)
        self.waiting = deque(run.id for run in open_runs)

    @property
    def history(self) -> History:
        """The runs so far, by number, with the declared parameters only: searchers know no others."""
        return History(self._book.known(self.spec.space), self.sources)

    @cached_property
    def sources(self) -> tuple[Run, ...]:
        """The runs that warm-start the experiment, as they were when they were first asked for."""
        return read_sources(self.spec, self.log, self.id)

    @property
    def used(self) -> float:
        """What the runs use of the budget, 1 each or their task's cost: all but lost, cancelled, archived."""
        return budget_used(self.spec, self._book.all())

    @property
    def remaining(self) -> float | None:
        """What is left of the budget; ``None`` without a budget. A last run may cost more than that."""
        left = None if self.spec.budget is None else self.spec.budget - self.used
        return None if left is None else max(0, round(left, COST_DIGITS))

    def get(self, run: int) -> Run:
        """A run's present value, with its curve."""
        return self._book.get(run)

    def state(self, run: int) -> State:
        """Where a run is in its life."""
        return self._book.raw(run).state

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with a run's new value whenever one is made or changes; it must not raise."""
        self._book.subscribe(listener)

    def use(self, searcher: Searcher) -> None:
        """Propose with this object instead of the searcher that the experiment names (in this process)."""
        self._searcher = searcher
        self._ahead = LookAhead(self.question, self._answer)

    @property
    def searcher(self) -> Searcher:
        """What proposes here, unless a sweep asks elsewhere."""
        if self._searcher is None:
            self._searcher = make_searcher(self.spec.searcher)
        return self._searcher

    def question(self) -> Question:
        """What the next suggestion depends on, as it now is."""
        sources = self.sources
        with self._lock:
            ended = sum(not run.state.is_open for run in self._book.all())
            history = History(self._book.known(self.spec.space), sources)
            return Question(self.spec, history, len(self._book), ended, self._following.changed)

    def recommend(self) -> Proposal | None:
        """The point to use in the end; see :func:`heliostat.engine.recommended`."""
        with self._thinking:
            return recommended(self.log, self.id, self.searcher)

    def propose(self, count: int = 1) -> Sequence[Proposal]:
        """Ask the searcher, in this thread; nothing is recorded."""
        return self._answer(self.question(), count)

    def admit(self, proposals: Sequence[Proposal], *, origin: str = "heliostat") -> list[Run]:
        """Record proposals as open runs and wait until that is durable; only then may they be handed out."""
        return self._admit([Offer(proposal, origin) for proposal in proposals])

    def refresh(self) -> None:
        """Take up what was changed from outside since the last time; one small read."""
        with self._handing_out:
            news = self._following.read()
            if news.is_declared_anew:
                self.spec = self.log.experiment(self.id).spec
                self.is_exhausted = False
            if news.is_queued:
                self._queue.read()

    @property
    def is_queued(self) -> bool:
        """Whether points of the user wait to be handed out."""
        return len(self._queue) > 0

    def suggest(self, count: int = 1, *, think: Think | None = None, ahead: bool = False) -> list[Run]:
        """Up to `count` new open runs, the user's queued points first; fewer at the end of budget or space.

        Args:
            count: How many.
            think: Answers the question in place of this process's searcher.
            ahead: With a parallel bandwidth above 1, hand out proposals that were made ahead of need, which
                may have missed a few results, and go on thinking ahead; otherwise each knows all results.
        """
        with self._handing_out:
            self.refresh()
            runs = self._from_queue(count)
            wanted = self._affordable(count - len(runs))
            if wanted <= 0:
                return runs
            bandwidth = (self.spec.parallel_bandwidth or 1) if ahead and think is None else 1
            if bandwidth > 1:
                offers = self._ahead.take(wanted)
            else:
                offers = [offer for _, offer in answered(self.question(), wanted, think or self._answer)]
            runs += self._admit(self._within_budget(offers))
            self.is_exhausted = len(offers) < wanted
            if bandwidth > 1 and self._affordable(1):
                self._ahead.refill(bandwidth)
            return runs

    def start(self, run: int, metadata: Mapping[str, Any] | None = None) -> None:
        """The run's code has begun."""
        now, known = self.clock(), self.get(run)
        self._book.put(replace(known, started=now))
        facts = dict(metadata or {})
        self._send(StartRun(run, time=now, metadata=facts, attempt=known.attempt, epoch=self.epoch))

    def next_waiting(self) -> Run | None:
        """A run to hand out again, as a new attempt: same id and assignments, an empty curve."""
        try:
            run = self.waiting.popleft()
            while self.get(run).archived:
                run = self.waiting.popleft()
        except IndexError:
            return None
        known = self.get(run)
        self._send(RetryRun(run, "the last attempt was lost", time=self.clock(), epoch=self.epoch))
        with self._lock:
            self._reported.pop(run, None)
        anew = replace(known, attempt=known.attempt + 1, values={}, curve=(), started=None)
        return self._book.put(anew)

    def lose(self, run: int, reason: str) -> bool:
        """An attempt was lost with its process or machine: queue the run for another, if any is left.

        Returns:
            ``False`` if it has been tried :data:`ATTEMPTS` times; the caller then ends it.
        """
        known = self.get(run)
        if known.attempt >= ATTEMPTS:
            return False
        logger.warning("run %d lost its attempt %d: %s", known.number, known.attempt, reason)
        self.waiting.append(run)
        self._book.tell(known)
        return True

    def observe(self, run: int, values: Mapping[str, Any], *, step: int | None = None) -> None:
        """Take what a running run reports: the last value of each name is judged at its end.

        Args:
            run: An open run.
            values: By name, as they came; what is no number is kept for the judgement and not charted.
            step: With it, the numbers become a point of the training curve.
        """
        now = self.clock()
        with self._lock:
            self._refuse_ended(run)
            self._reported.setdefault(run, {}).update(values)
            numbers, _ = sift(values)
            if step is None or not numbers:
                return
            point = Checkpoint(step, {name: item.value for name, item in numbers.items()}, now)
            known = self._book.raw(run)
            if isinstance(known.curve, list):
                known.curve.append(point)
            else:
                self._book.put(replace(known, curve=[*known.curve, point]), tell=False)
        self._send(LogCheckpoints(run, (point,), attempt=known.attempt, epoch=self.epoch))

    def reported(self, run: int) -> dict[str, Any]:
        """The last value of each name that a run has reported, as it came."""
        with self._lock:
            return dict(self._reported.get(run, {}))

    def finish(self, run: int, outcome: Outcome, *, wait: bool = False) -> Run:
        """End a run.

        Args:
            run: An open or lost run.
            outcome: How it ended.
            wait: Return only when the end is durable.

        Raises:
            Conflict: The run has ended already.
        """
        now = self.clock()
        with self._lock:
            self._refuse_ended(run)
            known = self._book.raw(run)
            values: dict[str, Measurement] = {**known.values, **outcome.values}
            ended = replace(
                snapshot(known),
                state=outcome.state,
                values=values,
                end_reason=outcome.reason,
                failure=outcome.failure,
                ended=now,
            )
            self._book.put(ended, tell=False)
            self._reported.pop(run, None)
            write = FinishRun(
                run,
                outcome.state,
                outcome.reason,
                time=now,
                values=dict(outcome.values),
                failure=outcome.failure,
                attempt=known.attempt,
                epoch=self.epoch,
            )
            future = self._send(write)  # under the lock: the log knows the ends in the order of this process
        if wait:
            future.result()
        self._book.tell(ended)
        return ended

    def update(self, run: int, *, metadata: Mapping[str, Any]) -> None:
        """Merge metadata into a run, open or ended."""
        known = self.get(run)
        self._book.put(replace(known, metadata={**known.metadata, **metadata}))
        self._send(UpdateRun(run, time=self.clock(), metadata=dict(metadata), epoch=self.epoch))

    def flush(self) -> None:
        """Wait until all is durable.

        Raises:
            HeliostatError: The first error of a write that nobody waited for.
        """
        self.log.flush()
        if self.write_error is not None:
            error, self.write_error = self.write_error, None
            raise error

    def _answer(self, question: Question, count: int) -> Sequence[Proposal]:
        with self._thinking:  # searchers keep what they have fitted, and are no more than one thread's
            searcher = self.searcher
            return searcher.suggest(question.spec, question.history, count, question.rng())

    def _admit(self, offers: Sequence[Offer]) -> list[Run]:
        with self._handing_out:
            made = admitted(self.log, self.id, self.spec, offers, self.epoch, self.clock())
            return [self._book.put(run) for run in made]

    def _from_queue(self, count: int) -> list[Run]:
        made: list[Run] = []
        while self._queue and self._affordable(count - len(made)) > 0:
            record = self._queue.pop()
            why = record.why or "queued by the user"
            proposal = Proposal(record.assignments, record.task, why)
            try:
                made += self._admit([Offer(proposal, record.origin, suggestion=record.id)])
            except StaleSession:
                raise
            except Conflict:  # deleted meanwhile, or in another's hands
                logger.info("queued point %d is gone", record.id)
            except BaseException:
                self._queue.put_back(record)
                raise
        return made

    def _affordable(self, count: int) -> int:
        """How many of `count` runs may be proposed; cheap tasks may turn out to be affordable in numbers."""
        left = self.remaining
        if left is None or (self.spec.tasks and left > 0):
            return count
        return min(count, math.ceil(left))

    def _within_budget(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those that are reached before the budget is used up; only tasks need a second look."""
        left, kept = self.remaining if self.spec.tasks else None, list[Offer]()
        for offer in offers:
            if left is not None and left <= 0:
                break
            kept.append(offer)
            task = self.spec.task(offer.proposal.task)
            if left is not None and task is not None:
                left = round(left - task.cost, COST_DIGITS)
        return kept

    def _refuse_ended(self, run: int) -> None:
        state = self.state(run)
        if not state.is_open and state is not State.LOST:
            rule = f"run {run} has ended ({state}) and a run ends once"
            raise Conflict(rule, remedy="Report it before its end.")

    def _send(self, write: Any) -> Future[Reply]:
        future = self.log.submit(write)
        future.add_done_callback(self._note_error)
        return future

    def _note_error(self, future: Future[Reply]) -> None:
        error = future.exception()
        if isinstance(error, Exception) and self.write_error is None:
            self.write_error = error
