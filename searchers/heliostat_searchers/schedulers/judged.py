"""The shell around a judge: what Ray Tune calls."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from heliostat.isolation import isolated
from heliostat.tune_results import metrics_of, step_of
from heliostat_searchers.schedulers.replay import Ended, Reported, events, numbers_of, resource_at
from heliostat_searchers.schedulers.subject import Subject, key_of
from heliostat_searchers.stopping import Decision, Judge, Report

logger = logging.getLogger(__name__)


class JudgedScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray has no types
    """Stops trials as a judge says; every stop has a reason, and no fault of ours ends the sweep.

    Made for an experiment, it is told first what the experiment's earlier runs showed: Ray Tune never saves a
    scheduler's state, and the run log is the better place for it.

    Args:
        of: Whom it serves.
        judge: What decides.
        step: What counts a trial's steps, a whole number that it reports; by default Ray Tune's own count.
        resource: What the judge's rungs are measured in, a number that trials report; by default the step.

    Attributes:
        stops: Trial id → why it was stopped.
    """

    def __init__(
        self, of: Subject, judge: Judge, *, step: str | None = None, resource: str | None = None
    ) -> None:
        super().__init__()
        self._of = of
        self._judge = judge
        self._step = step
        self._resource = resource
        self.stops: MutableMapping[str, str] = of.stops
        self._keys: dict[str, str] = {}
        self._replay()

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The metrics were given when the scheduler was made."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Whether the trial goes on; whatever goes wrong here, it does."""
        return self._decided(trial, result) or str(TrialScheduler.CONTINUE)

    @isolated
    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Learn from a trial that went to its end; Ray Tune also tells of those that were stopped."""
        key = self._key(trial)
        last = self._read(result)
        if trial.trial_id not in self.stops and last is not None:
            self._judge.finished(key, last)
        self._forget(trial)

    @isolated
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Forget what it had shown, unless Ray Tune itself tries it again from its checkpoint."""
        if getattr(trial, "status", "") != "ERROR":
            self._judge.dropped(self._key(trial))
            self._forget(trial)

    @isolated
    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A waiting or paused trial was ended."""
        key = self._key(trial)
        if trial.trial_id in self.stops:
            self._judge.stopped(key)
        else:
            self._judge.dropped(key)
        self._forget(trial)

    def debug_string(self) -> str:
        """How many it has stopped."""
        return f"Using {type(self).__name__}: {len(self.stops)} trials stopped."

    @isolated
    def _decided(self, trial: Any, result: Mapping[str, Any]) -> str | None:
        report = self._read(result)
        if report is None:
            return None
        key = self._key(trial)
        return self._acted(trial, key, self._judge.report(key, report), result)

    def _acted(self, trial: Any, key: str, decision: Decision, result: Mapping[str, Any]) -> str | None:
        if not decision.is_stop:
            return None
        if decision.reason:  # without one it is the end of a full run
            self.stops[trial.trial_id] = decision.reason
            self._judge.stopped(key)
        return str(TrialScheduler.STOP)

    def _key(self, trial: Any) -> str:
        return self._keys.setdefault(trial.trial_id, self._of.key(trial.trial_id))

    def _forget(self, trial: Any) -> None:
        self._keys.pop(trial.trial_id, None)
        self._of.paused.discard(trial.trial_id)

    def _read(self, result: Mapping[str, Any]) -> Report | None:
        """A result as the judge knows it; ``None`` where it does not say how far the trial is."""
        values = numbers_of(metrics_of(result))
        step = step_of(result, self._step)
        used = step if self._resource is None else result.get(self._resource)
        if step is None or not isinstance(used, (int, float)):
            return None
        return Report(step, float(used), values)

    def _replay(self) -> None:
        for event in events(self._of.history):
            key = key_of(event.run.id)
            if isinstance(event, Reported):
                used = resource_at(event.run, event.point, self._resource)
                if used is not None:
                    self._judge.report(key, Report(event.point.step, used, numbers_of(event.point.values)))
            elif isinstance(event, Ended) and event.run.end_reason and event.run.state.value == "completed":
                step = event.run.curve[-1].step if event.run.curve else 0
                self._judge.finished(key, Report(step, float(step), numbers_of(event.run.numbers)))
            elif isinstance(event, Ended):
                self._judge.stopped(key)

    def __deepcopy__(self, memo: dict[int, Any]) -> JudgedScheduler:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Into Ray Tune's snapshot goes no state: a new one is made for the experiment, and reads its log.
        return FIFOScheduler, ()
