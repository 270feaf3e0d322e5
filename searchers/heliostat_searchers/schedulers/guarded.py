"""Ray Tune's own schedulers behind a guard."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from heliostat.isolation import isolated
from heliostat.tune_results import STEP
from heliostat_searchers.schedulers.replay import Begun, Reported, events, resource_at
from heliostat_searchers.schedulers.stopping import Serves
from heliostat_searchers.schedulers.subject import key_of, subject

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Told:
    """What Ray Tune's schedulers see of a trial that ran in an earlier sweep."""

    trial_id: str
    status: str = "RUNNING"
    is_saving: bool = False


class _Deaf:
    """A controller for trials that are over: nothing can be done to them."""

    def stop_trial(self, trial: Any) -> None:
        """It has ended."""

    def get_live_trials(self) -> list[Any]:
        """None."""
        return []


class GuardedScheduler(TrialScheduler):  # type: ignore[misc]  # Ray has no types
    """A scheduler of Ray Tune that keeps its state and its reasons, and never ends a sweep by an exception.

    - Its state comes back after a restart: Ray Tune does not save it, so what the experiment's earlier runs
      showed is told to it again, from the run log, in the order in which it happened.
    - A result without a finite value of the watched metric is not shown to it (it would raise, or rank NaN),
      and the trial goes on.
    - A stop is noted with its reason: Ray Tune cannot tell a stopped trial from a finished one.
    - What it draws at random (Hyperband's brackets) it draws again for the same run.

    Args:
        inner: ``ASHAScheduler(…)``, ``MedianStoppingRule(…)``, ``HyperBandScheduler(…)``, made as usual, with
            a metric and a mode. Schedulers that pause trials need ones with checkpoints.
        of: The experiment that it serves.
        reason: Why it stops trials, for people; may use ``{metric}``, ``{value}`` and ``{step}``.
        min_runs: Trials that must have ended before any is stopped.

    Attributes:
        inner: The scheduler that decides.
        stops: Trial id → why it was stopped.
    """

    def __init__(
        self, inner: TrialScheduler, of: Serves, *, reason: str | None = None, min_runs: int = 0
    ) -> None:
        super().__init__()
        self.inner = inner
        self._of = subject(of)
        name = type(inner).__name__.removesuffix("Scheduler")
        self._reason = reason or f"early-stopped by {name}: {{metric}} = {{value:.4g}} at step {{step}}"
        self._min_runs = min_runs
        self._time = getattr(inner, "_time_attr", STEP)
        whole = getattr(inner, "_max_t", getattr(inner, "_max_t_attr", None))
        self._whole = math.inf if whole is None else float(whole)
        self._ended = 0
        self.stops: MutableMapping[str, str] = self._of.stops
        self._replay()

    @property
    def metric(self) -> str | None:
        """The watched one."""
        name: str | None = getattr(self.inner, "_metric", None)
        return name

    @property
    def supports_buffered_results(self) -> bool:
        """As the inner scheduler."""
        return bool(self.inner.supports_buffered_results)

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """As the inner scheduler, if it has no metric yet."""
        return True if self.metric else bool(self.inner.set_search_properties(metric, mode, **spec))

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Pass on."""
        with _drawn_for(self._of.key(trial.trial_id)):
            self.inner.on_trial_add(tune_controller, trial)

    @isolated
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Pass on."""
        self._of.paused.discard(trial.trial_id)
        self.inner.on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """The inner scheduler's decision, noted if it is a stop."""
        self._of.paused.discard(trial.trial_id)
        if not _is_finite(result.get(self.metric or "")):
            return str(TrialScheduler.CONTINUE)
        try:
            decision = str(self.inner.on_trial_result(tune_controller, trial, result))
        except Exception:
            logger.exception("the scheduler failed on a result; the trial goes on")
            return str(TrialScheduler.CONTINUE)
        if decision == TrialScheduler.PAUSE:
            self._of.paused.add(trial.trial_id)
        if decision == TrialScheduler.STOP and not self._is_whole(result):
            if self._ended < self._min_runs:
                return str(TrialScheduler.CONTINUE)
            self._note(trial, result)
        return decision

    @isolated
    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Count the end; pass on results that have the metric."""
        self._ended += 1
        if _is_finite(result.get(self.metric or "")):
            self.inner.on_trial_complete(tune_controller, trial, result)

    @isolated
    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """A trial that waited was ended: by the inner scheduler, while it decided about another."""
        self._of.paused.discard(trial.trial_id)
        last = getattr(trial, "last_result", None) or {}
        if _is_finite(last.get(self.metric or "")) and not self._is_whole(last):
            self._note(trial, last)
        self.inner.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """As the inner scheduler."""
        trial = self.inner.choose_trial_to_run(tune_controller)
        if trial is not None:
            self._of.paused.discard(trial.trial_id)
        return trial

    def debug_string(self) -> str:
        """As the inner scheduler."""
        return str(self.inner.debug_string())

    def _is_whole(self, result: Mapping[str, Any]) -> bool:
        """Whether a stop is the regular end of a trial."""
        return bool(result.get("done")) or result.get(self._time, 0) >= self._whole

    def _note(self, trial: Any, result: Mapping[str, Any]) -> None:
        value, step = result[self.metric or ""], result.get(self._time, 0)
        self.stops[trial.trial_id] = self._reason.format(metric=self.metric, value=value, step=step)

    def _replay(self) -> None:
        told: dict[int, _Told] = {}
        last: dict[int, dict[str, Any]] = {}
        for event in events(self._of.history):
            run = event.run
            if isinstance(event, Begun):
                told[run.id] = _Told(key_of(run.id))
                self.on_trial_add(_Deaf(), told[run.id])
            elif isinstance(event, Reported):
                used = resource_at(run, event.point, None if self._time == STEP else self._time)
                if self.metric in event.point.values and used is not None:
                    last[run.id] = {**event.point.values, STEP: event.point.step, self._time: used}
                    self.on_trial_result(_Deaf(), told[run.id], last[run.id])
            else:
                self.on_trial_complete(_Deaf(), told[run.id], last.get(run.id, {}))
        for trial in told.values():
            self.stops.pop(trial.trial_id, None)
            self._of.paused.discard(trial.trial_id)

    def __deepcopy__(self, memo: dict[int, Any]) -> GuardedScheduler:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FIFOScheduler, ()  # as of ours: the log is the state


@contextmanager
def _drawn_for(key: str) -> Iterator[None]:
    """NumPy's global generator, which Ray Tune's schedulers draw from, set by a run's name for a moment."""
    before = np.random.get_state()
    np.random.seed(zlib.crc32(key.encode()))
    try:
        yield
    finally:
        np.random.set_state(before)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
