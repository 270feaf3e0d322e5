"""One experiment's living state: the log's runs, the searcher, and the steps between them.

The engine is disposable. A new one takes the next epoch, replays the log and goes on; whatever an older one
still tries to write is refused. Every door (Python loop, Ray Tune, later HTTP) is a thin client of it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np

from heliostat.errors import Conflict, NotFound
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome, sift
from heliostat.ports import RunLog, Searcher
from heliostat.registry import make_searcher
from heliostat.trial import Checkpoint, History, Measurement, Proposal, Run, State
from heliostat.writes import (
    CreateRun,
    FinishRun,
    LogCheckpoints,
    OpenSession,
    Reply,
    RetryRun,
    StartRun,
    UpdateRun,
)

logger = logging.getLogger("heliostat")

Listener = Callable[[Run], None]

ATTEMPTS = 3
"""Attempts of a run before a dying worker is taken for its own doing."""


class Engine:
    """The steering of one experiment in this process; safe for use by many threads.

    Args:
        log: Where everything is recorded.
        experiment: Its identity in the log.
        clock: Seconds since the epoch.

    Attributes:
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
        self.epoch = log.apply(OpenSession(experiment, owner, time=clock())).epoch
        self._lock = threading.RLock()
        self._runs = {run.id: run for run in log.runs(experiment, curves=True)}
        self._reported: dict[int, dict[str, Any]] = {}
        self._listeners: list[Listener] = []
        self._searcher: Searcher | None = None
        self.trials: dict[str, int] = {}
        self.is_exhausted = False
        self.write_error: Exception | None = None
        self.waiting = deque(run.id for run in self._runs.values() if run.state.is_open)

    @property
    def history(self) -> History:
        """The runs so far, by number, with the declared parameters only: searchers know no others."""
        own = self.spec.space.index.keys()
        with self._lock:
            runs = [_known_to_searchers(_snapshot(run), own) for run in self._runs.values()]
        return History(tuple(sorted(runs, key=lambda run: run.number)))

    @property
    def used(self) -> int:
        """Runs that count against the budget: all but lost and cancelled ones."""
        with self._lock:
            return sum(run.state.uses_budget for run in self._runs.values())

    @property
    def remaining(self) -> int | None:
        """Runs left in the budget; ``None`` without a budget."""
        return None if self.spec.budget is None else max(0, self.spec.budget - self.used)

    def get(self, run: int) -> Run:
        """A run's present value, with its curve."""
        with self._lock:
            return _snapshot(self._raw(run))

    def state(self, run: int) -> State:
        """Where a run is in its life."""
        with self._lock:
            return self._raw(run).state

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with a run's new value whenever one is made or changes; it must not raise."""
        self._listeners.append(listener)

    def use(self, searcher: Searcher) -> None:
        """Propose with this object instead of the searcher that the experiment names (in this process)."""
        self._searcher = searcher

    def propose(self, count: int = 1) -> Sequence[Proposal]:
        """Ask the searcher, in this thread; nothing is recorded."""
        if self._searcher is None:
            self._searcher = make_searcher(self.spec.searcher)
        return self._searcher.suggest(self.spec, self.history, count, self.rng())

    def rng(self) -> np.random.Generator:
        """The generator for the next suggestion: a function of the seed and the number of runs made."""
        return np.random.default_rng([self.spec.seed, len(self._runs)])

    def admit(self, proposals: Sequence[Proposal], *, origin: str = "heliostat") -> list[Run]:
        """Record proposals as open runs and wait until that is durable; only then may they be handed out."""
        searcher = self.spec.searcher if origin == "heliostat" else ""
        now = self.clock()
        waiting = [
            (
                proposal,
                self.log.submit(
                    CreateRun(
                        self.id,
                        dict(proposal.assignments),
                        time=now,
                        project=self.spec.project,
                        task=proposal.task,
                        origin=origin,
                        searcher=searcher,
                        why=proposal.why,
                        predicted=dict(proposal.predicted),
                        epoch=self.epoch,
                    )
                ),
            )
            for proposal in proposals
        ]
        made = []
        for proposal, future in waiting:
            reply = future.result()
            run = Run(
                id=reply.run or 0,
                experiment=self.id,
                project=self.spec.project,
                number=reply.number or 0,
                assignments=dict(proposal.assignments),
                task=proposal.task,
                origin=origin,
                searcher=searcher,
                why=proposal.why,
                predicted=dict(proposal.predicted),
                created=now,
            )
            made.append(run)
            self._keep(run)
        return made

    def suggest(self, count: int = 1) -> list[Run]:
        """Propose and admit: up to `count` new open runs, fewer if budget or space are exhausted."""
        left = self.remaining
        wanted = count if left is None else min(count, left)
        if wanted <= 0:
            return []
        runs = self.admit(self.propose(wanted))
        self.is_exhausted = len(runs) < wanted
        return runs

    def start(self, run: int, metadata: Mapping[str, Any] | None = None) -> None:
        """The run's code has begun."""
        now, known = self.clock(), self.get(run)
        self._keep(replace(known, started=now))
        facts = dict(metadata or {})
        self._send(StartRun(run, time=now, metadata=facts, attempt=known.attempt, epoch=self.epoch))

    def next_waiting(self) -> Run | None:
        """A run to hand out again, as a new attempt: same id and assignments, an empty curve."""
        try:
            run = self.waiting.popleft()
        except IndexError:
            return None
        known = self.get(run)
        self._send(RetryRun(run, "the last attempt was lost", time=self.clock(), epoch=self.epoch))
        with self._lock:
            self._reported.pop(run, None)
        anew = replace(known, attempt=known.attempt + 1, values={}, curve=(), started=None)
        return self._keep(anew)

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
        self._tell(known)
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
            known = self._runs[run]
            if isinstance(known.curve, list):
                known.curve.append(point)
            else:
                self._runs[run] = replace(known, curve=[*known.curve, point])
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
            known = self._runs[run]
            values: dict[str, Measurement] = {**known.values, **outcome.values}
            ended = replace(
                _snapshot(known),
                state=outcome.state,
                values=values,
                end_reason=outcome.reason,
                failure=outcome.failure,
                ended=now,
            )
            self._runs[run] = ended
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
        future = self._send(write)
        if wait:
            future.result()
        self._tell(ended)
        return ended

    def update(self, run: int, *, metadata: Mapping[str, Any]) -> None:
        """Merge metadata into a run, open or ended."""
        known = self.get(run)
        self._keep(replace(known, metadata={**known.metadata, **metadata}))
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

    def _raw(self, run: int) -> Run:
        # A run that is reporting holds its curve as a list that grows: a copy for each point would make long
        # curves quadratic. It leaves this object as a snapshot only.
        if run not in self._runs:
            rule = f"experiment {self.id} has no run {run}"
            raise NotFound(rule, remedy="Use an id that it handed out.")
        return self._runs[run]

    def _refuse_ended(self, run: int) -> None:
        state = self.state(run)
        if not state.is_open and state is not State.LOST:
            rule = f"run {run} has ended ({state}) and a run ends once"
            raise Conflict(rule, remedy="Report it before its end.")

    def _keep(self, run: Run) -> Run:
        with self._lock:
            self._runs[run.id] = run
        self._tell(run)
        return run

    def _tell(self, run: Run) -> None:
        for listener in self._listeners:
            listener(run)

    def _send(self, write: Any) -> Future[Reply]:
        future = self.log.submit(write)
        future.add_done_callback(self._note_error)
        return future

    def _note_error(self, future: Future[Reply]) -> None:
        error = future.exception()
        if isinstance(error, Exception) and self.write_error is None:
            self.write_error = error


def _snapshot(run: Run) -> Run:
    return replace(run, curve=tuple(run.curve)) if isinstance(run.curve, list) else run


def _known_to_searchers(run: Run, names: Set[str]) -> Run:
    if run.assignments.keys() <= names:
        return run
    return replace(
        run, assignments={name: run.assignments[name] for name in run.assignments if name in names}
    )
