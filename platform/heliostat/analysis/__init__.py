"""Pure functions over runs: feasibility, best runs, fronts, progress, importance, curves, counts.

Letters: `n` runs, `m` objectives, `d` dimensions of the search space, `k` feature columns.
"""

from heliostat.analysis.best import best_run, leaders, pareto_front, separation, solutions
from heliostat.analysis.counts import Counts, budget_used, counts
from heliostat.analysis.curves import Curve, curve_metric, curves
from heliostat.analysis.domination import non_dominated
from heliostat.analysis.feasibility import Standing, is_counted, is_feasible, standing
from heliostat.analysis.hypervolume import hypervolume
from heliostat.analysis.importance import Importance, importances
from heliostat.analysis.progress import Progress, progress

__all__ = [
    "Counts",
    "Curve",
    "Importance",
    "Progress",
    "Standing",
    "best_run",
    "budget_used",
    "counts",
    "curve_metric",
    "curves",
    "hypervolume",
    "importances",
    "is_counted",
    "is_feasible",
    "leaders",
    "non_dominated",
    "pareto_front",
    "progress",
    "separation",
    "solutions",
    "standing",
]
