"""Verdicts on the open runs of one experiment, for those who report curves through a service."""

from __future__ import annotations

from heliostat.metrics import Metrics
from heliostat.trial import Run, State
from heliostat_searchers.stopping.curves import FinishedCurves, OpenCurve, read_curve
from heliostat_searchers.stopping.decision import decide


class CurveVerdicts:
    """Whether an open run has a chance left, by the curves of runs that went to their end.

    Args:
        metrics: The experiment's.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._finished = FinishedCurves()

    def learn(self, run: Run) -> None:
        """A run has ended; only completed ones with a curve teach anything."""
        curve = read_curve(self._metrics, run) if run.state is State.COMPLETED else None
        if curve is not None:
            self._finished.add(curve)

    def reason(self, run: Run) -> str:
        """Why the run should be stopped; empty if it should go on."""
        growing = OpenCurve(self._metrics)
        for point in sorted(run.curve, key=lambda item: item.step):
            growing.add(point.step, point.values)
        if not run.curve:
            return ""
        decision = decide(self._metrics, self._finished, growing.open())
        return decision.reason if decision.is_stop else ""
