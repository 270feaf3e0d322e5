"""Schedulers for Ray Tune that keep their reasons and never end a sweep by an exception."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from heliostat.early_stopping import EarlyStopping
from heliostat.metrics import Metrics
from heliostat.outcome import sift
from heliostat.trial import History
from heliostat.tune_results import metrics_of
from heliostat_searchers.stopping import (
    Curve,
    Decision,
    FinishedCurves,
    OpenCurve,
    below_median,
    decide,
    read_curve,
)

logger = logging.getLogger(__name__)

BRACKETS = 3
"""Hyperband's brackets: a fourth would hardly ever stop anything in runs of less than 100 steps."""

STEP = "training_iteration"
Stops = MutableMapping[str, str]


class GuardedScheduler(TrialScheduler):  # type: ignore[misc]  # Ray has no types
    """Another scheduler behind a guard: odd results pass by it, and its stops are written down.

    A result without a finite value of the watched metric is not shown to the inner scheduler (it would raise
    or rank NaN), and the trial goes on. A stop is noted under the trial's id, so that the run log can tell a
    stopped trial from a finished one: Ray Tune itself cannot.

    Args:
        inner: The scheduler that decides.
        rule: The metric that it watches, the steps of a full run (a stop there is the regular end), and the
            number of trials that must have ended before any is stopped.
        reason: Why it stops trials, for people; may use ``{value}`` and ``{step}``.
        stops: Trial id → reason, filled in as it stops trials.
        ended: Trials that had ended before, in earlier sweeps of the experiment.
    """

    def __init__(
        self, inner: TrialScheduler, *, rule: EarlyStopping, reason: str, stops: Stops, ended: int = 0
    ) -> None:
        super().__init__()
        self._inner = inner
        self._rule = rule
        self._watched = rule.metric or ""
        self._whole = math.inf if rule.max_steps is None else rule.max_steps
        self._reason = reason
        self._ended = ended
        self._stops = stops

    @property
    def supports_buffered_results(self) -> bool:
        """As the inner scheduler."""
        return bool(self._inner.supports_buffered_results)

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The metric was given when the scheduler was made."""
        return True

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Pass on."""
        self._inner.on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Pass on."""
        self._inner.on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """The inner scheduler's decision, noted if it is a stop."""
        if not _is_finite(result.get(self._watched)):
            return str(TrialScheduler.CONTINUE)
        try:
            decision = str(self._inner.on_trial_result(tune_controller, trial, result))
        except Exception:
            logger.exception("the scheduler failed on a result; the trial goes on")
            return str(TrialScheduler.CONTINUE)
        step = result.get(STEP, 0)
        if decision == TrialScheduler.STOP and not result.get("done") and step < self._whole:
            if self._ended < self._rule.min_runs:
                return str(TrialScheduler.CONTINUE)
            value = result[self._watched]
            self._stops[trial.trial_id] = self._reason.format(value=value, step=step)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Count the end; pass on results that have the metric."""
        self._ended += 1
        if _is_finite(result.get(self._watched)):
            self._inner.on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Pass on."""
        self._inner.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """As the inner scheduler."""
        return self._inner.choose_trial_to_run(tune_controller)

    def debug_string(self) -> str:
        """As the inner scheduler."""
        return str(self._inner.debug_string())

    def __deepcopy__(self, memo: dict[int, Any]) -> GuardedScheduler:
        return self


Judge = Callable[[FinishedCurves, Curve], Decision]


class CurveScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray has no types
    """Stops trials by a judgement of their whole curve beside the curves of others.

    Args:
        judge: Known curves, the present one → decision.
        metrics: The experiment's.
        stops: Trial id → reason, filled in as it stops trials.
        history: Runs of earlier sweeps; it learns from those that were completed.
    """

    def __init__(self, judge: Judge, metrics: Metrics, stops: Stops, history: History) -> None:
        super().__init__()
        self._judge = judge
        self._metrics = metrics
        self._stops = stops
        curves = (read_curve(metrics, run) for run in history.completed if not run.archived)
        self._known = FinishedCurves(curve for curve in curves if curve is not None)
        self._open: dict[str, OpenCurve] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """The experiment declares its metrics."""
        return True

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> str:
        """Whether the trial goes on; whatever goes wrong here, it does."""
        try:
            decision = self._judge(self._known, self._grown(trial.trial_id, result).open())
        except Exception:
            logger.exception("the scheduler failed on a result; the trial goes on")
            return str(TrialScheduler.CONTINUE)
        if not decision.is_stop:
            return str(TrialScheduler.CONTINUE)
        self._stops[trial.trial_id] = decision.reason
        self._open.pop(trial.trial_id, None)
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Mapping[str, Any]) -> None:
        """Learn from a trial that went to its end; Ray Tune also tells of those that were stopped."""
        if trial.trial_id in self._stops:
            return
        try:
            self._known.add(self._grown(trial.trial_id, result).finished())
        except Exception:
            logger.exception("a finished curve could not be read; nothing is learned from it")
        self._open.pop(trial.trial_id, None)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Forget what it had shown."""
        self._open.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Forget what it had shown."""
        self._open.pop(trial.trial_id, None)

    def debug_string(self) -> str:
        """What it knows."""
        return f"Using CurveScheduler: {len(self._known)} finished curves, {len(self._stops)} stops."

    def _grown(self, trial: str, result: Mapping[str, Any]) -> OpenCurve:
        numbers = {name: item.value for name, item in sift(metrics_of(result))[0].items()}
        curve = self._open.setdefault(trial, OpenCurve(self._metrics))
        curve.add(int(result.get(STEP, 1)), numbers)
        return curve

    def __deepcopy__(self, memo: dict[int, Any]) -> CurveScheduler:
        return self


def scheduler(
    rule: EarlyStopping, metrics: Metrics, stops: Stops, history: History | None = None
) -> TrialScheduler:
    """The scheduler of a declared rule.

    Args:
        rule: The method and its settings.
        metrics: The experiment's; they say whether more or less is better.
        stops: Filled with trial id → reason.
        history: Runs of earlier sweeps.
    """
    known = history or History()
    if rule.method == "auto":
        options: dict[str, Any] = {"risk": rule.risk, "grace": rule.grace, "min_runs": rule.min_runs}
        return CurveScheduler(partial(decide, metrics, **options), metrics, stops, known)
    if rule.method == "median":
        watched = Metrics((replace(metrics[rule.metric or ""], strategy="optimize", threshold=None),))
        judge = partial(below_median, watched.all[0], grace=rule.grace, min_runs=rule.min_runs)
        return CurveScheduler(judge, watched, stops, known)
    return _halving(rule, metrics, stops, len(known.completed))


asha = scheduler
"""The name under which it is registered as an entry point."""


def _halving(rule: EarlyStopping, metrics: Metrics, stops: Stops, ended: int) -> GuardedScheduler:
    """Asynchronous successive halving, in one bracket or, as Hyperband, in several.

    Li et al. 2020, arXiv:1810.05934; Li et al. 2018, JMLR 18(185).
    """
    whole, metric = rule.max_steps or 1, metrics[rule.metric or ""]
    rungs = int(math.log(whole / rule.grace) / math.log(rule.reduction)) + 1
    is_hyperband = rule.method == "hyperband"
    inner = AsyncHyperBandScheduler(
        time_attr=STEP,
        metric=metric.name,
        mode="max" if metric.sign > 0 else "min",
        max_t=whole,
        grace_period=rule.grace,
        reduction_factor=rule.reduction,
        brackets=min(BRACKETS, rungs) if is_hyperband else 1,
    )
    share = f"the best 1/{rule.reduction:g} of the runs at that step{' in its bracket' * is_hyperband}"
    reason = f"early-stopped: {metric.name} = {{value:.4g}} at step {{step}} was not among {share}"
    return GuardedScheduler(inner, rule=rule, reason=reason, stops=stops, ended=ended)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
