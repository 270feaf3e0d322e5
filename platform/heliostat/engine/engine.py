"""One experiment's steering: what is tried next, and what became of it.

The engine is disposable. A new one takes the next epoch, replays the log and goes on; whatever an older one
still tries to write is refused. Every door (Python loop, Ray Tune, HTTP) is a thin client of it. What others
write meanwhile (the declaration, the queue, ends, corrections, archived runs) it takes up before it suggests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from heliostat.analysis import budget_of
from heliostat.analysis.counts import COST_DIGITS
from heliostat.engine import ends
from heliostat.engine.allowance import affordable, within
from heliostat.engine.book import Book, Listener
from heliostat.engine.entry import entered, is_others, label
from heliostat.engine.following import Following
from heliostat.engine.known import snapshot
from heliostat.engine.lookahead import LookAhead, Think, answered
from heliostat.engine.offers import admitted, labelled
from heliostat.engine.question import Label, Offer, Question
from heliostat.engine.queue import Queue, taken_up
from heliostat.engine.recommendation import recommended
from heliostat.engine.sending import Sending
from heliostat.engine.sources import read_sources
from heliostat.engine.thinking import Pulse, Thinking
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome, sift
from heliostat.ports import RunLog, Searcher
from heliostat.registry import make_searcher
from heliostat.trial import Checkpoint, History, Proposal, Run, State
from heliostat.writes import LogCheckpoints, RetryRun, StartRun, UpdateRun

logger = logging.getLogger("heliostat")

Clock = Callable[[], float]

ATTEMPTS = 3
"""Attempts of a run before a dying worker is taken for its own doing."""


class Engine:
    """The steering of one experiment in this process; safe for use by many threads.

    Args:
        log: Where everything is recorded.
        experiment: Its identity in the log.
        clock: Seconds since the epoch.
        is_guest: Suggest beside the process that steers the experiment, and do not take it over.

    Attributes:
        spec: The declaration, as of the last :meth:`refresh`.
        waiting: Open runs to hand out again: those whose driver was gone when this session began, and those
            that were lost since. See :meth:`next_waiting`.
        is_exhausted: Whether the searcher has no further point of the space to offer.
        is_closed: Whether nothing new is to be proposed although budget is left: the search has converged.
        trials: Ray Tune's id of each running trial → the run's id.
        stops: Ray Tune's id of each trial that a scheduler stopped → why.
        paused: Ray Tune's ids of trials that a scheduler has paused: they are open and hold no worker.
    """

    def __init__(
        self, log: RunLog, experiment: int, *, clock: Clock = time.time, is_guest: bool = False
    ) -> None:
        self.log = log
        self.id = experiment
        self.clock = clock
        self.spec: ExperimentSpec = log.experiment(experiment).spec
        self.epoch, seen = entered(log, experiment, clock(), is_guest=is_guest)
        self._book = Book(experiment)
        self._lock = self._book.lock
        self._following = Following(log, self._book, after=seen)
        self.spec = log.experiment(experiment).spec  # as it is after the place that is followed from
        self._book.fill(log.runs(experiment, curves=True))
        self._queue = Queue(log, experiment)
        self._handing_out = threading.RLock()
        self._thinking = Thinking()
        self._reported: dict[int, dict[str, Any]] = {}
        self._losses: dict[int, str] = {}
        self._searcher: Searcher | None = None
        self._ahead = LookAhead(self.question, self._answer)
        self.trials: dict[str, int] = {}
        self.stops: dict[str, str] = {}
        self.paused: set[str] = set()
        self.is_exhausted = self.is_closed = False
        self.sending = Sending(log)
        open_runs = [run for run in self._book.all() if run.state.is_open]
        theirs = {run.id for run in open_runs if is_others(run, is_guest=is_guest)}
        self.waiting = deque(run.id for run in open_runs if not (run.id in theirs or run.archived))
        self._following.leave(theirs)
        self._label = label(is_guest=is_guest)

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
        return budget_of(self.spec, self._book.counted)

    @property
    def remaining(self) -> float | None:
        """What is left of the budget; ``None`` without a budget. A last run may cost more than that."""
        left = None if self.spec.budget is None else self.spec.budget - self.used
        return None if left is None else max(0, round(left, COST_DIGITS))

    @property
    def busy(self) -> int:
        """How many of Ray Tune's trials hold a worker: all that are open and not paused."""
        return len(self.trials.keys() - self.paused)

    def get(self, run: int) -> Run:
        """A run's present value, with its curve."""
        return self._book.get(run)

    def runs(self) -> list[Run]:
        """All runs, archived ones too, as they are: curves may still grow."""
        return self._book.all()

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
            history = History(self._book.known(self.spec.space), sources)
            return Question(self.spec, history, len(self._book), self._book.ended, self._following.changed)

    def recommend(self) -> Proposal | None:
        """The point to use in the end; see :func:`heliostat.engine.recommended`."""
        with self._thinking.turn():
            return recommended(self.log, self.id, self.searcher)

    def admit(
        self, proposals: Sequence[Proposal], *, origin: str = "heliostat", labels: Sequence[Label] = ()
    ) -> list[Run]:
        """Record proposals as open runs and wait until that is durable; only then may they be handed out.

        Args:
            proposals: What to run.
            origin: Who proposed it.
            labels: What the asker wants on each; the rest go without.
        """
        return self._admit(labelled([Offer(proposal, origin) for proposal in proposals], labels))

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

    def suggest(
        self,
        count: int = 1,
        *,
        think: Think | None = None,
        ahead: bool = False,
        labels: Sequence[Label] = (),
        beyond_budget: bool = False,
    ) -> list[Run]:
        """Up to `count` new open runs, the user's queued points first; fewer at the end of budget or space.

        Args:
            count: How many.
            think: Answers the question in place of this process's searcher.
            ahead: With a parallel bandwidth above 1, hand out proposals that were made ahead of need, which
                may have missed a few results, and go on thinking ahead; otherwise each knows all results,
                unless :meth:`prefetch` was called.
            labels: What the asker wants on each run; the rest go without.
            beyond_budget: Whether to go on when the budget is used up.
        """
        with self._handing_out:
            self.refresh()
            runs = taken_up(self._queue, count, labels, self._admit, lambda: self._room(1, beyond_budget) > 0)
            wanted = self._room(count - len(runs), beyond_budget)
            if wanted <= 0:
                return runs
            bandwidth = (self.spec.parallel_bandwidth or 1) if ahead and think is None else 1
            if bandwidth > 1 or (ahead and think is None and self._ahead.is_used):
                offers = self._ahead.take(wanted)
            else:
                offers = [offer for _, offer in answered(self.question(), wanted, think or self._answer)]
            allowed = offers if beyond_budget else within(self.spec, self.remaining, offers)
            made = self._admit(labelled(allowed, labels[len(runs) :]), insists=False)
            self.is_exhausted = len(offers) < wanted
            runs += made
            if len(made) < len(allowed):  # another process got ahead, perhaps with the same points
                more, left = count - len(runs), labels[len(runs) :]
                return runs + self.suggest(
                    more, think=think, ahead=ahead, labels=left, beyond_budget=beyond_budget
                )
            if bandwidth > 1 and self._room(1, beyond_budget):
                self._ahead.refill(bandwidth)
            return runs

    def prefetch(self, bandwidth: int = 1) -> None:
        """Begin to think of the next suggestions, so that they are ready when they are asked for.

        Args:
            bandwidth: How many may be wanted at once.
        """
        with self._handing_out:
            self.refresh()
            if self._room(1) > 0 and not self.is_exhausted:
                self._ahead.refill(bandwidth)

    @property
    def ready(self) -> int:
        """How many suggestions can be handed out without thinking."""
        with self._handing_out:
            return self._ahead.ready

    def pulse(self) -> Pulse:
        """How it stands; a thread that thinks is not waited for."""
        is_open, thinking = len(self._book) - self._book.ended, self._thinking
        return Pulse(is_open, self._ahead.held, self._following.behind(), thinking.answers, thinking.seconds)

    def start(self, run: int, metadata: Mapping[str, Any] | None = None) -> None:
        """The run's code has begun."""
        now, known = self.clock(), self.get(run)
        self._book.put(replace(known, started=now))
        facts = dict(metadata or {})
        self.sending.send(StartRun(run, time=now, metadata=facts, attempt=known.attempt, epoch=self.epoch))

    def next_waiting(self) -> Run | None:
        """A run to hand out again, as a new attempt: same id and assignments, an empty curve."""
        try:
            run = self.waiting.popleft()
            while (known := self.get(run)).archived or not known.state.is_open:
                run = self.waiting.popleft()
        except IndexError:
            return None
        return self.retry(run, self._losses.pop(run, "the last attempt was lost"))

    def retry(self, run: int, reason: str) -> Run:
        """Begin another attempt of an open run: same id and assignments, an empty curve."""
        known = self.get(run)
        self.sending.send(RetryRun(run, reason, time=self.clock(), epoch=self.epoch))
        with self._lock:
            self._reported.pop(run, None)
        anew = replace(known, attempt=known.attempt + 1, values={}, curve=(), started=None)
        return self._book.put(anew)

    def lose(self, run: int, reason: str, *, excused: int = 0) -> bool:
        """An attempt was lost with its process or machine: queue the run for another, if any is left.

        Args:
            run: An open run.
            reason: Why, for people.
            excused: How many of its attempts are known to have been lost without its doing.

        Returns:
            ``False`` if it has been tried :data:`ATTEMPTS` times beside these; the caller then ends it.
        """
        known = self.get(run)
        if known.attempt - excused >= ATTEMPTS:
            return False
        logger.warning("run %d lost its attempt %d: %s", known.number, known.attempt, reason)
        self._losses[run] = reason
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
            ends.refuse_ended(run, self.state(run))
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
        self.sending.send(LogCheckpoints(run, (point,), attempt=known.attempt, epoch=self.epoch))

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
            ends.refuse_ended(run, self.state(run))
            known = self._book.raw(run)
            ended = self._book.put(ends.applied(snapshot(known), outcome, now), tell=False)
            self._reported.pop(run, None)
            write = ends.write_of(run, outcome, now, attempt=known.attempt, epoch=self.epoch)
            future = self.sending.send(write)  # under the lock: the log knows the ends in this order
        if wait:
            future.result()
        self._book.tell(ended)
        return ended

    def update(
        self,
        run: int,
        *,
        metadata: Mapping[str, Any] | None = None,
        sys_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Merge facts into a run, open or ended."""
        known, facts, system = self.get(run), dict(metadata or {}), dict(sys_metadata or {})
        merged = {**known.metadata, **facts}, {**known.sys_metadata, **system}
        self._book.put(replace(known, metadata=merged[0], sys_metadata=merged[1]))
        write = UpdateRun(run, time=self.clock(), metadata=facts, sys_metadata=system, epoch=self.epoch)
        self.sending.send(write)

    def flush(self) -> None:
        """Wait until all is durable.

        Raises:
            HeliostatError: The first error of a write that nobody waited for.
        """
        self.sending.flush()

    def _answer(self, question: Question, count: int) -> Sequence[Proposal]:
        with self._thinking.turn():
            return self.searcher.suggest(question.spec, question.history, count, question.rng())

    def _admit(self, offers: Sequence[Offer], *, insists: bool = True) -> list[Run]:
        """Make runs of offers; one that another process got ahead of is offered again, if `insists`."""
        with self._handing_out:
            made, left = list[Run](), list(offers)
            while left:
                known, now, label = len(self._book), self.clock(), self._label
                found = list(admitted(self.log, self.id, self.spec, left, self.epoch, now, known, label))
                made += [self._book.put(run) for run in found if run is not None]
                left = [offer for offer, run in zip(left, found, strict=True) if run is None and insists]
                if left:
                    self.refresh()
            return made

    def _room(self, count: int, beyond_budget: bool = False) -> int:
        """How many of `count` runs may still be handed out."""
        return count if beyond_budget else affordable(self.spec, self.remaining, count)
