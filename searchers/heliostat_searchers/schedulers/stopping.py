"""Schedulers that end trials for good: by predicted ends, by lost guardrails, by rank at rungs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial

from heliostat import Experiment
from heliostat.engine import Engine
from heliostat.metrics import Metric, Metrics
from heliostat_searchers.schedulers.judged import JudgedScheduler
from heliostat_searchers.schedulers.subject import subject
from heliostat_searchers.stopping import (
    Curve,
    CurveJudge,
    Decision,
    FinishedCurves,
    RungJudge,
    Rungs,
    below_median,
    decide,
    lost_guardrail,
)

Serves = Experiment | Engine | Metrics | Iterable[Metric]


class CurveStopping(JudgedScheduler):
    """Predicts where a trial will end, from curves of finished ones, and stops it when it will be of no use.

    Of use is an end that keeps every guardrail and beats the best, or joins the front of several objectives
    (:mod:`heliostat_searchers.stopping.decision`). A guardrail that is surely lost stops a trial too.

    Args:
        of: An experiment, or metrics.
        risk: A trial is stopped when its chance to be of use is below this.
        grace: Steps before a trial may be stopped.
        min_runs: Trials that must have finished before.
        step: What counts a trial's steps, by default Ray Tune.
        irreversible: Guardrails that never get better within a run.
    """

    def __init__(
        self,
        of: Serves,
        *,
        risk: float = 0.05,
        grace: float = 1,
        min_runs: int = 5,
        step: str | None = None,
        irreversible: Collection[str] = (),
    ) -> None:
        serves = subject(of)
        names = serves.guardrails(irreversible)

        def rule(finished: FinishedCurves, present: Curve) -> Decision:
            lost = lost_guardrail(
                serves.metrics, finished, present, irreversible=names, grace=grace, min_runs=min_runs
            )
            if lost.is_stop:
                return lost
            return decide(serves.metrics, finished, present, risk=risk, grace=grace, min_runs=min_runs)

        super().__init__(serves, CurveJudge(serves.metrics, rule), step=step)


class GuardrailStopping(JudgedScheduler):
    """Stops a trial as soon as one of its guardrails is surely lost, and for nothing else.

    What "surely" means: :mod:`heliostat_searchers.stopping.guardrails`.

    Args:
        of: An experiment, or metrics.
        irreversible: Guardrails that never get better within a run: time or money used, peak memory, size.
        grace: Steps before a trial may be stopped for another guardrail.
        min_runs: Trials that must have finished before a trial may be stopped for another guardrail.
        step: What counts a trial's steps, by default Ray Tune.
    """

    def __init__(
        self,
        of: Serves,
        *,
        irreversible: Collection[str] = (),
        grace: float = 1,
        min_runs: int = 5,
        step: str | None = None,
    ) -> None:
        serves = subject(of)
        rule = partial(
            lost_guardrail,
            serves.metrics,
            irreversible=serves.guardrails(irreversible),
            grace=grace,
            min_runs=min_runs,
        )
        super().__init__(serves, CurveJudge(serves.metrics, rule), step=step)


class MedianStopping(JudgedScheduler):
    """Stops a trial whose best is worse than the median of the finished trials' means (Golovin et al. 2017).

    Args:
        of: An experiment, or metrics.
        metric: The one that counts, by default the only objective.
        grace: Steps before a trial may be stopped.
        min_runs: Trials that must have finished before.
        step: What counts a trial's steps, by default Ray Tune.
    """

    def __init__(
        self,
        of: Serves,
        metric: str | None = None,
        *,
        grace: float = 1,
        min_runs: int = 5,
        step: str | None = None,
    ) -> None:
        serves = subject(of)
        name = metric or serves.metrics.objectives[0].name
        watched = Metrics((replace(serves.metrics[name], strategy="optimize", threshold=None),))
        rule = partial(below_median, watched.all[0], grace=grace, min_runs=min_runs)
        super().__init__(serves, CurveJudge(watched, rule), step=step)


class MultiObjectiveASHA(JudgedScheduler):
    """Asynchronous successive halving by all objectives and guardrails (Schmucker et al. 2021).

    At a rung trials are ranked by non-dominated sorting, spread within a front; whoever misses a guardrail
    comes after all who miss none. arXiv:2106.12639.

    Args:
        of: An experiment, or metrics.
        most: What a full run uses of the resource; a trial that uses as much has finished.
        grace: Where the first rung is.
        reduction: At each rung the best 1/reduction go on.
        min_runs: Trials that must have ended before any is stopped.
        step: What counts a trial's steps, by default Ray Tune.
        resource: What rungs are measured in, by default steps.
    """

    def __init__(
        self,
        of: Serves,
        most: float,
        *,
        grace: float = 1,
        reduction: float = 3,
        min_runs: int = 5,
        step: str | None = None,
        resource: str | None = None,
    ) -> None:
        serves = subject(of)
        self.rungs = Rungs(serves.metrics, first=grace, most=most, reduction=reduction)
        judge = RungJudge(self.rungs, min_runs=min_runs, unit=resource or step or "step")
        super().__init__(serves, judge, step=step, resource=resource)
