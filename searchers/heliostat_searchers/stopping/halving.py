"""Successive halving with resumption: runs wait at rungs, and those that promise most for their cost go on.

The promotion variant of asynchronous successive halving (Li et al. 2020, arXiv:1810.05934) never ends a run
for its rank: it waits, and goes on once it ranks among the best 1/reduction of its rung. Ranks at a low rung
say little about ends, least of all where objectives are traded. So from the first finished runs on the rank
is replaced by a forecast, as in freeze-thaw optimization (Swersky et al. 2014, arXiv:1406.3896): the chance
that the run's end keeps all guardrails and moves the front.

A chance is worth its cost. A run that goes on costs what lies before its next rung, and the rest only if it
is of use. A new run is of use with a chance of F/(n + 1), where F runs of n are on the front (of exchangeable
runs the next one is as likely as any other to be among the F), and costs what one has cost so far. A run
waits while a new one promises more for the same cost.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

import numpy as np

from heliostat.analysis import non_dominated
from heliostat.metrics import Metrics
from heliostat_searchers.stopping.curves import Curve
from heliostat_searchers.stopping.decision import Decision, feasible, judged
from heliostat_searchers.stopping.guardrails import lost_guardrail
from heliostat_searchers.stopping.judges import CurveJudge, Report
from heliostat_searchers.stopping.rungs import Rungs

LAST_STEPS = 3
"""A run is judged by the best of so many last steps: a single bad one often is one of a jagged curve."""

NEAR, MUCH = 0.3, 1.25
"""Waiting runs worth this share of a new one are judged anew whenever a run finishes, all others when a
quarter more have finished: the worth of the rest would have to triple, and each costs a forecast."""

MARGIN = 0.1
"""What is nearly as good as the front counts as of use: less than where a stop is for good. Without a margin
the best runs of a search, which are lucky ones too, were left waiting: nothing shows luck beforehand."""


class HalvingJudge(CurveJudge):
    """Sends runs on, lets them wait, or ends them.

    Args:
        metrics: The experiment's.
        rungs: Where runs may wait.
        price: A run waits while it is worth less than so many times a new one; 1 is what it costs.
        min_runs: Runs that must have finished before any waits.
        irreversible: Guardrails that never get better within a run.
    """

    def __init__(
        self,
        metrics: Metrics,
        rungs: Rungs,
        *,
        price: float = 1.0,
        min_runs: int = 5,
        irreversible: Collection[str] = (),
    ) -> None:
        rule = partial(lost_guardrail, metrics, irreversible=irreversible, min_runs=min_runs)
        super().__init__(metrics, rule)
        self.rungs = rungs
        self._price = price
        self._min_runs = min_runs
        self._used: dict[str, float] = {}
        self._waiting: dict[str, Decision] = {}
        self._heard = self._heard_all = 0
        self._front = 1

    def report(self, key: str, report: Report) -> Decision:
        """A lost guardrail ends it; at a rung its worth decides; the end of the resource is the end."""
        self._waiting.pop(key, None)
        self._used[key] = max(report.resource, self._used.get(key, 0.0))
        lost = super().report(key, report)
        if lost.is_stop:
            return lost
        if report.resource >= self.rungs.most:
            return Decision(True)
        rung = self.rungs.crossed(key, report.resource)
        if rung is None:
            return lost
        self.rungs.record(key, rung, report.values)
        seen = self._seen(key)
        if not seen.is_stop or self._worth(key, seen) >= self._bar():
            return replace(seen, is_stop=False, reason="")
        self._waiting[key] = seen
        return replace(seen, is_stop=False, is_pause=True)

    def next(self) -> str | None:
        """The waiting run that should go on now, if one should."""
        self._hear()
        best = self.best_waiting()
        is_worth_it = best is not None and self._worth(best, self._waiting[best]) >= self._bar()
        return best if is_worth_it else None

    def best_waiting(self) -> str | None:
        """The waiting run that promises most for its cost."""
        return max(self._waiting, key=lambda key: self._worth(key, self._waiting[key]), default=None)

    def resumed(self, key: str) -> None:
        """A waiting run goes on."""
        self._waiting.pop(key, None)

    def ended(self, key: str) -> Decision:
        """Why a waiting run ends with the search."""
        seen = self._waiting.get(key, Decision(True))
        return replace(seen, is_stop=True, reason=f"{seen.reason}; it waited until the search was over")

    def finished(self, key: str, last: Report) -> None:
        """Learn its curve."""
        self.resumed(key)
        super().finished(key, last)
        kept = feasible(self._metrics, self.known.finals) if len(self.known) else np.empty((0, 1))
        m = len(self._metrics.objectives)
        self._front = max(1, int(non_dominated(kept[:, :m]).sum())) if len(kept) and m else 1

    def stopped(self, key: str) -> None:
        """What it showed stays a yardstick at the rungs."""
        self.resumed(key)
        super().stopped(key)

    def dropped(self, key: str) -> None:
        """Forget what it had shown."""
        self.resumed(key)
        self.rungs.drop(key)
        super().dropped(key)

    def _seen(self, key: str) -> Decision:
        """Its best chance by any of its last steps, with a reason: curves are jagged."""
        present: Curve | None = self._open[key].open()
        found = []
        for _ in range(LAST_STEPS):
            if present is not None:
                found.append(judged(self._metrics, self.known, present, 1.0, self._min_runs, margin=MARGIN))
                present = present.without_last(1)
        return next((seen for seen in found if not seen.is_stop), max(found, key=lambda seen: seen.chance))

    def _worth(self, key: str, seen: Decision) -> float:
        """Chance per cost: what lies before the next rung, and the rest if it is of use."""
        used = self._used[key]
        following = next((level for level in self.rungs.levels if level > used), self.rungs.most)
        return seen.chance / (following - used + seen.chance * (self.rungs.most - following))

    def _bar(self) -> float:
        """What a new run promises for its cost."""
        n = len(self._used)
        return self._price * self._front / (n + 1) / (sum(self._used.values()) / n)

    def _hear(self) -> None:
        """Judge waiting runs anew: chances change when a run finishes, those of the far-off ones slowly."""
        known = len(self.known)
        if known == self._heard:
            return
        is_much = known >= MUCH * self._heard_all
        near = NEAR * self._bar()
        for key, seen in self._waiting.items():
            if is_much or self._worth(key, seen) >= near:
                self._waiting[key] = self._seen(key)
        self._heard, self._heard_all = known, known if is_much else self._heard_all
