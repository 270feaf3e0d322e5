"""Schedulers for Ray Tune that keep their reasons and never end a sweep by an exception."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, MutableMapping
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from heliostat.early_stopping import EarlyStopping
from heliostat.metrics import Metrics

logger = logging.getLogger(__name__)


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
    """

    def __init__(
        self,
        inner: TrialScheduler,
        *,
        rule: EarlyStopping,
        reason: str,
        stops: MutableMapping[str, str],
    ) -> None:
        super().__init__()
        self._inner = inner
        self._rule = rule
        self._watched = rule.metric
        self._reason = reason
        self._ended = 0
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
        step = result.get("training_iteration", 0)
        if decision == TrialScheduler.STOP and not result.get("done") and step < self._rule.max_steps:
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


def asha(rule: EarlyStopping, metrics: Metrics, stops: MutableMapping[str, str]) -> GuardedScheduler:
    """Asynchronous successive halving on one checkpointed metric (Li et al. 2020, arXiv:1810.05934).

    Args:
        rule: The metric to watch and the rungs.
        metrics: The experiment's metrics; they say whether more or less is better.
        stops: Filled with trial id → reason.
    """
    mode = "max" if metrics[rule.metric].sign > 0 else "min"
    inner = AsyncHyperBandScheduler(
        time_attr="training_iteration",
        metric=rule.metric,
        mode=mode,
        max_t=rule.max_steps,
        grace_period=rule.grace,
        reduction_factor=rule.reduction,
    )
    share = f"the best 1/{rule.reduction:g} of the runs at that step"
    reason = f"early-stopped: {rule.metric} = {{value:.4g}} at step {{step}} was not among {share}"
    return GuardedScheduler(inner, rule=rule, reason=reason, stops=stops)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
