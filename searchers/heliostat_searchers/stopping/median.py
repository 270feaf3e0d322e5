"""The median rule of Golovin et al. 2017, *Google Vizier: a service for black-box optimization*, KDD.

A run is stopped if its best value so far is worse than the median of the finished runs' means up to the same
step. Ray Tune's own compares with running and stopped ones too and cannot be told to wait for finished ones.
"""

from __future__ import annotations

import numpy as np

from heliostat.metrics import Metric
from heliostat_searchers.stopping.curves import Curve, FinishedCurves
from heliostat_searchers.stopping.decision import Decision


def below_median(
    metric: Metric, finished: FinishedCurves, present: Curve, *, grace: float = 1, min_runs: int = 5
) -> Decision:
    """Whether an open run should be stopped.

    Args:
        metric: The only one of the curves.
        finished: Curves of runs that went to their end.
        present: What the run has shown so far.
        grace: Steps before a run may be stopped.
        min_runs: Finished curves, longer than the present one, that must be known.
    """
    step = present.step
    known = finished.longer_than(step)
    best = float(present.best_by(step)[0])
    if step < grace or len(known) < max(min_runs, 1) or not np.isfinite(best):
        return Decision(False)
    means = [float(np.nanmean(rows)) for curve in known if np.isfinite(rows := curve.until(step)).any()]
    if not means or best >= np.median(means):
        return Decision(False)
    middle = metric.sign * float(np.median(means))
    reason = (
        f"early-stopped at step {step}: the best {metric.name} so far, {metric.sign * best:.4g}, is worse "
        f"than the median of the means of {len(means)} finished runs by then, {middle:.4g}"
    )
    return Decision(True, reason)
