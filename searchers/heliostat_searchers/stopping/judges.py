"""Judges: what decides about open runs as their reports come in, and learns from those that end.

A judge knows runs by a key and nothing of Ray; the same reports in the same order give the same decisions, so
one that is made anew and told the curves of the run log again stands where the last one stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from heliostat.metrics import Metrics
from heliostat_searchers.stopping.curves import Curve, FinishedCurves, OpenCurve
from heliostat_searchers.stopping.decision import Decision
from heliostat_searchers.stopping.rungs import Rungs


@dataclass(frozen=True)
class Report:
    """What a run reports.

    Args:
        step: Growing within a run.
        resource: What rungs are measured in, used so far: the step, or seconds, or money.
        values: Finite ones of its metrics, by name.
    """

    step: int
    resource: float
    values: Mapping[str, float]


class Judge(Protocol):
    """Decides about open runs."""

    def report(self, key: str, report: Report) -> Decision:
        """A run has reported: whether it goes on; a stop without a reason is the regular end."""

    def finished(self, key: str, last: Report) -> None:
        """A run went to its end; `last` may have been reported before."""

    def stopped(self, key: str) -> None:
        """A run was stopped early, by this judge or another."""

    def dropped(self, key: str) -> None:
        """A run failed or was lost: it will begin anew, or teaches nothing."""


Rule = Callable[[FinishedCurves, Curve], Decision]


class CurveJudge:
    """Judges a run by its whole curve beside the curves of finished ones.

    Args:
        metrics: The experiment's.
        rule: Known curves, the present one → decision.
    """

    def __init__(self, metrics: Metrics, rule: Rule) -> None:
        self._metrics = metrics
        self._rule = rule
        self.known = FinishedCurves()
        self._open: dict[str, OpenCurve] = {}

    def report(self, key: str, report: Report) -> Decision:
        """By the rule; a step that is repeated after a resumption changes nothing."""
        curve = self._open.setdefault(key, OpenCurve(self._metrics))
        if report.step < curve.step:
            return Decision(False)
        curve.add(report.step, report.values)
        return self._rule(self.known, curve.open())

    def finished(self, key: str, last: Report) -> None:
        """Learn its curve."""
        curve = self._open.pop(key, OpenCurve(self._metrics))
        curve.add(max(last.step, curve.step), last.values)
        self.known.add(curve.finished())

    def stopped(self, key: str) -> None:
        """Where it would have ended is not known."""
        self._open.pop(key, None)

    def dropped(self, key: str) -> None:
        """Forget what it had shown."""
        self._open.pop(key, None)


class RungJudge:
    """Asynchronous successive halving: a run that is not among the best 1/reduction of a rung is stopped.

    For several objectives this is MO-ASHA (Schmucker et al. 2021, arXiv:2106.12639), with guardrails by
    constrained domination (Deb et al. 2002, *A fast and elitist multiobjective genetic algorithm*, §VI); with
    one objective it is ASHA (Li et al. 2020, arXiv:1810.05934) in its stopping form (Klein et al. 2020,
    arXiv:2003.10865).

    Args:
        rungs: Where runs are compared.
        min_runs: Runs that must have ended before any is stopped.
        unit: What the rungs are measured in, for reasons.
    """

    def __init__(self, rungs: Rungs, *, min_runs: int = 5, unit: str = "step") -> None:
        self.rungs = rungs
        self._min_runs = min_runs
        self._unit = unit
        self._ended: set[str] = set()

    def report(self, key: str, report: Report) -> Decision:
        """Compare it with all that reached the same rung before."""
        if report.resource >= self.rungs.most:
            return Decision(True)
        rung = self.rungs.crossed(key, report.resource)
        if rung is None or not report.values:
            return Decision(False)
        place = self.rungs.record(key, rung, report.values)
        if place.is_among_the_best or len(self._ended) < self._min_runs:
            return Decision(False)
        reason = (
            f"early-stopped at {self._unit} {report.resource:g}: ranked by all metrics as "
            f"{place.position + 1} of {place.count} at the rung of {place.level:g}; {place.share} go on"
        )
        return Decision(True, reason)

    def finished(self, key: str, last: Report) -> None:
        """Count it."""
        self._ended.add(key)

    def stopped(self, key: str) -> None:
        """Count it; what it showed stays a yardstick."""
        self._ended.add(key)

    def dropped(self, key: str) -> None:
        """Take it off the rungs."""
        self.rungs.drop(key)
