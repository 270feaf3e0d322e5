"""Cost-aware successive halving on Ray Tune: trials pause at rungs and go on from their checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ray.tune.schedulers import TrialScheduler
from ray.tune.trainable import FunctionTrainable, Trainable

from heliostat import Experiment
from heliostat.engine import Engine
from heliostat.isolation import isolated
from heliostat.metrics import Metric, Metrics
from heliostat_searchers.schedulers.judged import JudgedScheduler
from heliostat_searchers.schedulers.subject import subject
from heliostat_searchers.stopping import Decision, HalvingJudge, Rungs

logger = logging.getLogger(__name__)

IDLE = 30.0
"""Seconds in which nothing runs and nothing new comes, after which waiting trials are taken for the last ones
where nobody says so: longer than any searcher thinks."""


class CostAwareHalving(JudgedScheduler):
    """Successive halving with resumption, in steps, time, money or whatever trials report.

    At each rung a trial goes on while its chance to be of use is worth its cost, compared with what a new
    trial promises for its own; else it is paused, its worker is free for another, and it goes on from its
    checkpoint as soon as it is worth it, which may change whenever a trial finishes. Each freed worker goes
    to the best waiting trial that is worth it, else to a new one. Trials without a checkpoint are never
    paused: they are stopped where others wait.
    When the search is over, what still waits is stopped, with its reason.

    Args:
        of: An experiment, or metrics.
        most: What a full run uses of the resource; a trial that uses as much has finished.
        grace: Where the first rung is.
        reduction: Ratio between rungs.
        price: A trial waits while it promises less than so many times what a new one does for its cost.
        min_runs: Trials that must have finished before any waits.
        step: What counts a trial's steps, by default Ray Tune.
        resource: What rungs are measured in, by default steps; ``time_total_s`` is the time that Ray Tune
            measures, and goes on over a resumption.
        irreversible: Guardrails that never get better within a run.
    """

    _supports_buffered_results = False

    def __init__(
        self,
        of: Experiment | Engine | Metrics | Iterable[Metric],
        most: float,
        *,
        grace: float = 1,
        reduction: float = 2,
        price: float = 1.0,
        min_runs: int = 5,
        step: str | None = None,
        resource: str | None = None,
        irreversible: Collection[str] = (),
    ) -> None:
        serves = subject(of)
        rungs = Rungs(serves.metrics, first=grace, most=most, reduction=reduction)
        names = serves.guardrails(irreversible)
        judge = HalvingJudge(serves.metrics, rungs, price=price, min_runs=min_runs, irreversible=names)
        self._halving = judge
        self._trials: dict[str, Any] = {}
        self._running: set[str] = set()
        self._resuming: list[str] = []
        self._most_at_once = 0
        self._idle_since: float | None = None
        super().__init__(serves, judge, step=step, resource=resource)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """A new trial, or one that is tried again."""
        self._begun(trial)

    @isolated
    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Learn, and give the worker to the best waiting trial that deserves it."""
        super().on_trial_complete(tune_controller, trial, result)
        self._freed(trial)

    @isolated
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """The worker is free."""
        super().on_trial_error(tune_controller, trial)
        self._freed(trial)

    @isolated
    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """It waits no more."""
        super().on_trial_remove(tune_controller, trial)
        self._freed(trial, is_slot=False)

    @isolated
    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The waiting trial whose turn it is; new ones start by themselves."""
        if self._is_over(tune_controller):
            self._wind_up(tune_controller)
        while self._resuming:
            trial = self._trials.get(self._resuming[0])
            if trial is not None and trial.status == "PAUSED" and not trial.is_saving:
                return trial
            if trial is not None and trial.status in ("PENDING", "RUNNING") and trial.is_saving:
                return None  # it is still being paused
            self._resuming.pop(0)
        return None

    def debug_string(self) -> str:
        """How many wait."""
        return f"{super().debug_string()} {len(self._of.paused)} wait."

    def _acted(self, trial: Any, key: str, decision: Decision, result: Mapping[str, Any]) -> str | None:
        self._trials[trial.trial_id] = trial
        if not decision.is_pause:
            return super()._acted(trial, key, decision, result)
        if not _is_resumable(trial, result):
            reason = f"{decision.reason}; it has no checkpoint from which it could go on later"
            return super()._acted(trial, key, Decision(True, reason), result)
        self._of.paused.add(trial.trial_id)
        self._freed(trial)
        return str(TrialScheduler.PAUSE)

    def _begun(self, trial: Any) -> None:
        self._trials[trial.trial_id] = trial
        self._running.add(trial.trial_id)
        self._most_at_once = max(self._most_at_once, len(self._running))

    def _freed(self, trial: Any, *, is_slot: bool = True) -> None:
        """A worker is free: promised at once, before the searcher is asked, so that it is not given twice."""
        self._running.discard(trial.trial_id)
        if trial.trial_id not in self._of.paused:
            self._trials.pop(trial.trial_id, None)
        if is_slot:
            self._promote(self._halving.next())

    def _promote(self, key: str | None) -> None:
        waiting = {self._keys.get(trial): trial for trial in self._of.paused}
        if key is None or key not in waiting:
            return
        trial = waiting[key]
        self._halving.resumed(key)
        self._of.paused.discard(trial)
        self._running.add(trial)
        self._resuming.append(trial)

    def _is_over(self, tune_controller: Any) -> bool:
        """Whether no new trial will come."""
        if self._of.is_over or tune_controller.search_alg.is_finished():
            return True
        if self._running or not self._of.paused:
            self._idle_since = None
            return False
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since > IDLE

    def _wind_up(self, tune_controller: Any) -> None:
        """Send on who deserves it while workers are free; with none running, end who still waits."""
        while self._of.paused and len(self._running) < max(self._most_at_once, 1):
            key = self._halving.next()
            if key is None:
                break
            self._promote(key)
        if self._running:
            return
        for waiting in sorted(self._of.paused):
            trial = self._trials[waiting]
            if trial.status == "PAUSED":
                self.stops[waiting] = self._halving.ended(self._key(trial)).reason
                tune_controller.stop_trial(trial)


def _is_resumable(trial: Any, result: Mapping[str, Any]) -> bool:
    """Whether a trial can go on later from where it is, or from shortly before."""
    if result.get("should_checkpoint") or trial.checkpoint is not None:
        return True
    trainable = trial.get_trainable_cls()
    if trainable is None or issubclass(trainable, FunctionTrainable):
        return False
    return trainable.save_checkpoint is not Trainable.save_checkpoint
