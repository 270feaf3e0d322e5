"""When to stop a run, judged by its curve and the curves of runs that went to their end.

``decide`` is a function: the same curves give the same decision. Letters: `n` finished curves, `m` steering
metrics (objectives, then guardrails), `p` features of what a curve has shown.
"""

from heliostat_searchers.stopping.curves import Curve, FinishedCurves, OpenCurve, read_curve
from heliostat_searchers.stopping.decision import Decision, decide
from heliostat_searchers.stopping.median import below_median

__all__ = ["Curve", "Decision", "FinishedCurves", "OpenCurve", "below_median", "decide", "read_curve"]
