"""The scheduler of a declared rule."""

from __future__ import annotations

import math
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from heliostat.early_stopping import EarlyStopping
from heliostat.tune_results import STEP
from heliostat_searchers.schedulers.guarded import GuardedScheduler
from heliostat_searchers.schedulers.halving import CostAwareHalving
from heliostat_searchers.schedulers.stopping import (
    CurveStopping,
    GuardrailStopping,
    MedianStopping,
    MultiObjectiveASHA,
    Serves,
)
from heliostat_searchers.schedulers.subject import subject

BRACKETS = 3
"""Hyperband's brackets: a fourth would hardly ever stop anything in runs of less than 100 steps."""


def scheduler(rule: EarlyStopping, of: Serves) -> TrialScheduler:
    """The scheduler of a declared rule.

    Args:
        rule: The method and its settings.
        of: An experiment, its engine, or metrics.
    """
    common: dict[str, Any] = {"grace": rule.grace, "min_runs": rule.min_runs, "step": rule.step}
    if rule.method == "auto":
        return CurveStopping(of, risk=rule.risk, irreversible=rule.irreversible, **common)
    if rule.method == "guardrails":
        return GuardrailStopping(of, irreversible=rule.irreversible, **common)
    if rule.method == "median":
        return MedianStopping(of, rule.metric, **common)
    most = rule.max_steps or 1
    rungs: dict[str, Any] = {"reduction": rule.reduction, "resource": rule.resource}
    if rule.method == "moasha":
        return MultiObjectiveASHA(of, most, **rungs, **common)
    if rule.method == "halving":
        return CostAwareHalving(of, most, irreversible=rule.irreversible, **rungs, **common)
    return _halving(rule, of)


def _halving(rule: EarlyStopping, of: Serves) -> GuardedScheduler:
    """Asynchronous successive halving, in one bracket or, as Hyperband, in several.

    Li et al. 2020, arXiv:1810.05934; Li et al. 2018, JMLR 18(185).
    """
    whole, metric = rule.max_steps or 1, subject(of).metrics[rule.metric or ""]
    rungs = int(math.log(whole / rule.grace) / math.log(rule.reduction)) + 1
    is_hyperband = rule.method == "hyperband"
    inner = AsyncHyperBandScheduler(
        time_attr=rule.resource or rule.step or STEP,
        metric=metric.name,
        mode="max" if metric.sign > 0 else "min",
        max_t=whole,
        grace_period=rule.grace,
        reduction_factor=rule.reduction,
        brackets=min(BRACKETS, rungs) if is_hyperband else 1,
    )
    share = f"the best 1/{rule.reduction:g} of the runs at that step{' in its bracket' * is_hyperband}"
    reason = f"early-stopped: {metric.name} = {{value:.4g}} at step {{step}} was not among {share}"
    return GuardedScheduler(inner, of, reason=reason, min_runs=rule.min_runs)
