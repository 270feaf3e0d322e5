"""Trials of Heliostat's own sweeps: they are runs of an experiment before Ray Tune knows them."""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat import outcome as ends
from heliostat.engine import ATTEMPTS, Engine
from heliostat.errors import Conflict
from heliostat.failures import KINDS, Consequence
from heliostat.trial import Failure, Run, State
from heliostat.tune_results import facts_of, metrics_of, step_of
from heliostat_trackers.tune import failures
from heliostat_trackers.tune.controller import Controller
from heliostat_trackers.tune.nodes import Drains
from heliostat_trackers.tune.restored import TRIAL, Assigned, Restored
from heliostat_trackers.tune.resumption import Resumption, left_by

logger = logging.getLogger(__name__)

EXCUSED = 10
"""Attempts of a run that may be lost without its doing before it is given up, unlearned."""


class SweepTrials:
    """Gives each run its curve and its one end, with the reason, through the experiment's engine.

    Args:
        engine: The experiment's steering.
        drains: The machines that are about to be taken back.
        step: What counts a trial's steps, if not Ray Tune does.
        time_limit: Seconds that an attempt may take; the worker sees to it, unless it hangs altogether.
        assigned: The assignments that a trial's configuration was made of.
    """

    def __init__(
        self,
        engine: Engine,
        drains: Drains,
        step: str | None = None,
        time_limit: float | None = None,
        assigned: Assigned = dict,
    ) -> None:
        self._engine = engine
        self._drains, self._step = drains, step
        self._time_limit = time_limit
        self._assigned = assigned
        self._controller = Controller()
        self._began: dict[str, float] = {}
        self._facts: dict[int, dict[str, Any]] = {}
        self._excused: Counter[int] = Counter()
        self._resumptions: dict[int, Resumption] = {}

    def begin(self, controller: Controller) -> None:
        """Watch who stops trials; those of a restored experiment find their runs again."""
        self._controller = controller
        controller.watch()
        Restored(self._engine, controller, self._assigned).settle()

    def started(self, trial: Any) -> None:
        """The trial's actor was asked for."""
        run = self._engine.trials.get(trial.trial_id)
        if run is None:
            return
        self._began[trial.trial_id] = time.monotonic()
        if self._engine.get(run).started is not None:  # it was paused, or goes on at its checkpoint
            return
        facts = {TRIAL: trial.trial_id, "driver": socket.gethostname()}
        left = self._resumptions.pop(run, None)
        if left is not None:
            left.hand_to(trial)
            facts["resumed_at"] = left.step
        self._engine.start(run, facts)
        for point in () if left is None else left.curve:
            self._engine.observe(run, point.values, step=point.step)

    def reported(self, trial: Any, result: Mapping[str, Any]) -> None:
        """A point of the training curve."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None:
            self._facts.setdefault(run, {}).update(facts_of(result))
            self._engine.observe(run, metrics_of(result), step=step_of(result, self._step))

    def recovering(self, trial: Any) -> None:
        """An attempt failed and Ray Tune tries once more: the same run, anew unless it has a checkpoint."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None and trial.checkpoint is None:
            self._engine.retry(run, failures.failure_of(trial, {}, self._drains).reason)

    def completed(self, trial: Any) -> None:
        """The code finished, or a scheduler stopped it."""
        run = self._engine.trials.pop(trial.trial_id, None)
        if run is None:
            return
        self._began.pop(trial.trial_id, None)
        self._note(run)
        self._engine.finish(run, self._end(trial, self._engine.get(run)))

    def errored(self, trial: Any) -> None:
        """The code raised, or its process died: then the run waits for another attempt, if any is left."""
        run = self._engine.trials.pop(trial.trial_id, None)
        if run is None:
            return
        self._facts.setdefault(run, {}).update(failures.facts_of(trial))
        end = self._end_of(trial, run)
        if end.state is State.LOST and self._is_tried_again(trial, run, end):
            return
        self._note(run)
        if end.failure is not None and end.failure.kind == "worker_died":
            end = ends.raised(end.values, "worker_died", f"{end.reason} ({ATTEMPTS} times)")
        self._engine.finish(run, end)

    def _end_of(self, trial: Any, run: int) -> ends.Outcome:
        reported = self._engine.reported(run)
        end = failures.failure_of(trial, reported, self._drains)
        seconds = time.monotonic() - self._began.pop(trial.trial_id, time.monotonic())
        is_late = self._time_limit is not None and seconds >= self._time_limit
        if is_late and end.failure is not None and end.failure.kind == "worker_died":
            return ends.raised(reported, "timeout", f"took longer than {self._time_limit:g} s and hung")
        return end

    def _is_tried_again(self, trial: Any, run: int, end: ends.Outcome) -> bool:
        kind = KINDS[(end.failure or Failure("lost", "")).kind]
        self._excused[run] += kind.consequence is Consequence.RETRIED
        if self._excused[run] >= EXCUSED:
            return False
        left = left_by(trial, self._engine.get(run).curve)
        if left is not None:
            self._resumptions[run] = left
        return self._engine.lose(run, end.reason, excused=self._excused[run])

    def _note(self, run: int) -> None:
        """What the worker told of itself, in one write."""
        facts = self._facts.pop(run, None)
        if facts:
            self._engine.update(run, metadata=facts)

    def over(self, trials: Sequence[Any]) -> None:
        """Whatever is still open was broken off."""
        self._controller.leave()
        for trial_id, run in list(self._engine.trials.items()):
            self._engine.trials.pop(trial_id)
            try:
                self._note(run)
                left = ends.cancelled(self._engine.reported(run), "the sweep ended during the run")
                self._engine.finish(run, left)
            except Conflict:  # it ended by another door in the meantime, which is as good
                logger.debug("run %d had ended already", run)
        self._engine.log.flush()  # whoever reads the log after Ray Tune's end finds every end

    def _end(self, trial: Any, run: Run) -> ends.Outcome:
        """How a trial ended that raised nothing: by itself, or stopped, and then by whom."""
        reported = self._engine.reported(run.id)
        reason = self._engine.stops.get(trial.trial_id) or self._controller.reason(trial.trial_id)
        if reason is not None:
            return ends.stopped(reported, reason)
        if run.started is None:
            return ends.cancelled(reported, "stopped before it began")
        last = trial.last_result or {}
        step = self._controller.stops.get(trial.trial_id)
        if step is None and last.get("done", True):
            return ends.judge(self._engine.spec.metrics, reported)
        step = last.get("training_iteration", 0) if step is None else step
        who = self._controller.scheduler or "Ray Tune"
        return ends.stopped(reported, f"stopped by {who} at iteration {step}")
