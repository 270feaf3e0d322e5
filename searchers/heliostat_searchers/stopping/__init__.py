"""When to stop a run, judged by its curve and the curves of runs that went to their end.

``decide`` is a function: the same curves give the same decision. Letters: `n` finished curves, `m` steering
metrics (objectives, then guardrails), `p` features of what a curve has shown.
"""

from heliostat_searchers.stopping.curves import Curve, FinishedCurves, OpenCurve, read_curve
from heliostat_searchers.stopping.decision import Decision, decide
from heliostat_searchers.stopping.guardrails import lost_guardrail
from heliostat_searchers.stopping.halving import HalvingJudge
from heliostat_searchers.stopping.judges import CurveJudge, Judge, Report, RungJudge
from heliostat_searchers.stopping.median import below_median
from heliostat_searchers.stopping.ranks import ranked
from heliostat_searchers.stopping.rungs import Rungs

__all__ = [
    "Curve",
    "CurveJudge",
    "Decision",
    "FinishedCurves",
    "HalvingJudge",
    "Judge",
    "OpenCurve",
    "Report",
    "RungJudge",
    "Rungs",
    "below_median",
    "decide",
    "lost_guardrail",
    "ranked",
    "read_curve",
]
