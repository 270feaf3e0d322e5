"""What all adapters share: one study's trials become runs, without the study ever noticing.

Nothing here waits: each verb queues writes and returns. Nothing here raises: the first failure is one
warning, later ones are counted. Nothing is written twice: the key of a write is made of the study, the trial
and what is said, so that saying it again, from this process or another, is the same write.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

from heliostat import outcome as ends
from heliostat.errors import HeliostatError, InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome, sift
from heliostat.ports import RunLog
from heliostat.registry import default_project
from heliostat.space import Value
from heliostat.trial import Checkpoint, State
from heliostat.writes import CreateRun, FinishRun, LogCheckpoints, Reply, RetryRun, StartRun, UpdateRun, Write
from heliostat_trackers.adapters import leaving
from heliostat_trackers.adapters.outbox import Outbox
from heliostat_trackers.adapters.values import plain_facts, plain_params

logger = logging.getLogger("heliostat")

PATIENCE = 30.0
"""Seconds that the end of a program waits for the log."""

BREATH = 0.1
"""Seconds within which what a trial says is one write: parameters come one by one, and curves grow fast."""

Key = int | str
AboutRun = Callable[[int], Write]
"""A write that can be made once the run's identity is known."""


@dataclass
class _Trial:
    """What is known of a trial that has not ended.

    `unsaid` and `points` wait for the next breath, and like `waiting` for the log's first reply.
    """

    number: Key
    created: float
    params: dict[str, Value] = field(default_factory=dict)
    run: int | None = None
    is_sent: bool = False
    attempt: int = 1
    unsaid: dict[str, Value] = field(default_factory=dict)
    points: list[Checkpoint] = field(default_factory=list)
    waiting: list[AboutRun] = field(default_factory=list)


class Recorder:
    """One study's trials as runs; safe for use by many threads, and by processes that it is pickled to.

    Args:
        log: Where to.
        origin: Who proposes: ``optuna``, ``hyperopt``, ``grid``, …
        study: The study's name for people.
        identity: A text that no other study has: a new one for what lives in memory, the address for what is
            stored, so that all processes that work on it say the same.
        searcher: How it proposes, in the library's own words; may be set until the first trial starts.
        project: The runs' project; by default the process's.
        experiment: An experiment that takes the runs whose parameters fit its space; others go beside it.
        is_private: Whether the study lives in this process alone: its open runs are cancelled at its end.

    Raises:
        InvalidValue: `experiment` is no identity.
        NotFound: The log has no such experiment.
    """

    def __init__(
        self,
        log: RunLog,
        *,
        origin: str,
        study: str,
        identity: str,
        searcher: str = "",
        project: str | None = None,
        experiment: int | str | None = None,
        is_private: bool = True,
    ) -> None:
        self.url = log.url
        self.origin, self.study, self.searcher = origin, study, searcher
        self.identity = identity
        self.experiment = None if experiment is None else _identity(experiment)
        self.spec: ExperimentSpec | None = None
        if self.experiment is not None:
            self.spec = log.experiment(self.experiment).spec
        self.project = project or (self.spec.project if self.spec else default_project())
        self.is_private = is_private
        self._begin(log)

    def start(
        self,
        key: Key,
        params: Mapping[str, Any] | None = None,
        *,
        number: Key | None = None,
        at: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """A trial's code has begun.

        Args:
            key: The trial's identity in its study.
            params: What it was given, as far as it is known; more may follow by :meth:`note`.
            number: The trial's name for people, by default the key.
            at: Seconds since the epoch, by default now.
            metadata: More facts.
        """
        with self.shield():
            now = time.time() if at is None else at
            trial = self._trial(key, now, number)
            facts = plain_facts(metadata or {})
            self._learn(key, trial, plain_params(params or {}))
            said = self._key(key, "start", trial.attempt)
            self._say(key, trial, lambda run: StartRun(run, time=now, metadata=facts, key=said))

    def point(self, key: Key, step: int, values: Mapping[str, Any], *, at: float | None = None) -> None:
        """Intermediate values; what is no number is left out."""
        with self.shield():
            now = time.time() if at is None else at
            numbers = {name: item.value for name, item in sift(values)[0].items()}
            if numbers:
                trial = self._trial(key, now)
                with self._lock:
                    trial.points.append(Checkpoint(int(step), numbers, now))
                self._breathe()

    def note(
        self, key: Key, *, params: Mapping[str, Any] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """What became known later: parameters, facts."""
        with self.shield():
            now = time.time()
            trial = self._trial(key, now)
            if params:
                self._learn(key, trial, plain_params(params))
            facts = plain_facts(metadata or {})
            if facts:
                said = self._key(key, "note", trial.attempt, facts)
                self._say(key, trial, lambda run: UpdateRun(run, time=now, metadata=facts, key=said))

    def end(
        self,
        key: Key,
        outcome: Outcome,
        *,
        at: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """A trial's one end."""
        with self.shield():
            now = time.time() if at is None else at
            trial = self._trial(key, now)
            self._settle(key, trial, is_last_chance=True)
            end = self._judged(outcome)
            common = {"time": now, "metadata": plain_facts(metadata or {})}
            said = self._key(key, "end", trial.attempt, str(end.state), end.reason)
            fields: dict[str, Any] = {
                **common,
                "values": dict(end.values),
                "failure": end.failure,
                "key": said,
            }
            self._say(key, trial, lambda run: FinishRun(run, end.state, end.reason, **fields))
            with self._lock:
                self._trials.pop(key, None)
                if not self._trials:
                    leaving.release(self)

    def retry(self, key: Key, reason: str) -> None:
        """An attempt was lost; the trial is tried again as the same run."""
        with self.shield():
            now = time.time()
            trial = self._trial(key, now)
            said = self._key(key, "retry", trial.attempt + 1)
            self._say(key, trial, lambda run: RetryRun(run, reason, time=now, key=said))
            trial.attempt += 1

    @property
    def open(self) -> list[Key]:
        """Keys of the trials that have not ended."""
        with self._lock:
            return list(self._trials)

    @property
    def failures(self) -> int:
        """How many writes were not recorded."""
        return self._outbox.failures

    def shield(self) -> AbstractContextManager[None]:
        """Keep every exception of ours from the code that called us."""
        return self._outbox.shield()

    def flush(self, timeout: float = PATIENCE) -> bool:
        """Wait until all that was said is durable or refused; ``False`` if that takes too long."""
        with self.shield():
            self._say_rest()
        return self._outbox.flush(timeout)

    def leave(self) -> None:
        """The program ends: so do the trials of a study that lives in it alone."""
        if os.getpid() != self._process:
            return
        if self.is_private:
            for key in self.open:
                self.end(key, ends.cancelled({}, "the program ended before the trial did"))
        if not self.flush():
            logger.warning("the run log did not take all of study %s in time", self.study)
        if self.failures > 1:
            logger.warning("%d facts about study %s were not recorded", self.failures, self.study)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin(None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Recorder:
        return self

    def _begin(self, log: RunLog | None) -> None:
        """A blank sheet for this process."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._trials: dict[Key, _Trial] = {}
        self._outbox = Outbox(log, self.url, f"study {self.study}")
        self._timer: threading.Timer | None = None
        self._has_told_unfit = False
        leaving.remember(self)

    def _trial(self, key: Key, now: float, number: Key | None = None) -> _Trial:
        if os.getpid() != self._process:
            self._begin(None)  # forked: the log and the trials are the parent's
        with self._lock:
            trial = self._trials.get(key)
            if trial is None:
                trial = self._trials[key] = _Trial(key if number is None else number, now)
                leaving.hold(self)
            return trial

    def _learn(self, key: Key, trial: _Trial, params: Mapping[str, Value]) -> None:
        """Take in parameters; those that come after the run was made are told with the next breath."""
        with self._lock:
            known = trial.params
            new = {name: value for name, value in params.items() if known.get(name, _NOTHING) != value}
            known.update(new)
            if trial.is_sent:
                trial.unsaid.update(new)
        self._settle(key, trial)
        if trial.unsaid:
            self._breathe()

    def _settle(self, key: Key, trial: _Trial, *, is_last_chance: bool = False) -> None:
        """Make the run: at once, or where an experiment wants it, when its parameters are complete."""
        if trial.is_sent:
            return
        fitting = self._fitting(trial.params)
        if self.spec is not None and fitting is None:
            if not is_last_chance:
                return
            self._tell_unfit(trial.params)
        write = CreateRun(
            self.experiment if fitting is not None else None,
            dict(trial.params if fitting is None else fitting),
            time=trial.created,
            project=self.project,
            name=f"{self.study} {trial.number}",
            origin=self.origin,
            searcher=self.searcher,
            metadata={"study": self.study, "trial": trial.number},
            key=self._key(key, "create"),
        )
        trial.is_sent = True
        self._outbox.put(write, partial(self._created, key, trial))
        self._outbox.post()

    def _created(self, key: Key, trial: _Trial, reply: Reply) -> None:
        """The log knows the run: what waited for its identity can be said."""
        with self._lock:
            trial.run = run = reply.run or 0
            for make in (*trial.waiting, *self._rest_of(key, trial)):
                self._outbox.put(make(run))
            trial.waiting.clear()
        self._outbox.post()

    def _breathe(self) -> None:
        """Say the rest in a moment."""
        with self._lock:
            if self._timer is not None:
                return
            self._timer = threading.Timer(BREATH, self._exhale)
            self._timer.daemon = True
            self._timer.start()

    def _exhale(self) -> None:
        with self.shield():
            with self._lock:
                self._timer = None
            self._say_rest()

    def _say_rest(self) -> None:
        with self._lock:
            for key, trial in self._trials.items():
                if trial.run is not None:
                    for make in self._rest_of(key, trial):
                        self._outbox.put(make(trial.run))
        self._outbox.post()

    def _say(self, key: Key, trial: _Trial, make: AboutRun) -> None:
        """Say something after all that was said before."""
        with self._lock:
            makes = [*self._rest_of(key, trial), make]
            if trial.run is None:
                trial.waiting.extend(makes)
            else:
                for each in makes:
                    self._outbox.put(each(trial.run))
        self._outbox.post()

    def _rest_of(self, key: Key, trial: _Trial) -> list[AboutRun]:
        """What was not said yet; call it with the lock held."""
        new, points = trial.unsaid, tuple(trial.points)
        trial.unsaid, trial.points = {}, []
        makes: list[AboutRun] = []
        if new:
            said, now = self._key(key, "params", trial.attempt, new), time.time()
            makes.append(lambda run: UpdateRun(run, time=now, assignments=new, key=said))
        if points:
            told = [[point.step, dict(point.values)] for point in points]
            name = self._key(key, "points", trial.attempt, told)
            makes.append(lambda run: LogCheckpoints(run, points, key=name))
        return makes

    def _fitting(self, params: Mapping[str, Value]) -> dict[str, Value] | None:
        if self.spec is None:
            return None
        try:
            return self.spec.space.check(params)
        except HeliostatError:
            return None

    def _tell_unfit(self, params: Mapping[str, Value]) -> None:
        if not self._has_told_unfit:
            self._has_told_unfit = True
            text = "study %s: %s do not fit experiment %s; such runs go to project %s beside it"
            logger.warning(text, self.study, dict(params), self.experiment, self.project)

    def _judged(self, outcome: Outcome) -> Outcome:
        """In an experiment its own metrics decide whether a run is completed."""
        if self.spec is None or outcome.state is not State.COMPLETED:
            return outcome
        return ends.judge(self.spec.metrics, outcome.values)

    def _key(self, key: Key, *said: Any) -> str:
        place = [self.origin, self.identity, self.project, self.experiment]
        text = json.dumps([*place, key, *said], sort_keys=True)
        return blake2b(text.encode(), digest_size=16).hexdigest()


_NOTHING = object()


def _identity(experiment: int | str) -> int:
    if not str(experiment).isdigit():
        rule, remedy = "must be an experiment's id", "See heliostat ls for the ids."
        raise InvalidValue("experiment", rule, given=experiment, remedy=remedy)
    return int(experiment)
