"""Pure functions over runs: feasibility, best runs, fronts, progress, importance, curves, counts.

Letters: `n` runs, `m` objectives, `d` dimensions of the search space, `k` feature columns.
"""

from heliostat.analysis.best import best_run, leaders, pareto_front, separation, solutions
from heliostat.analysis.counts import Counts, budget_of, budget_used, counts
from heliostat.analysis.coverage import new_places
from heliostat.analysis.curves import Curve, curve_metric, curves
from heliostat.analysis.cuts import Split, splits
from heliostat.analysis.domination import non_dominated
from heliostat.analysis.feasibility import Standing, is_counted, is_feasible, standing
from heliostat.analysis.hypervolume import hypervolume
from heliostat.analysis.importance import Importance, importances
from heliostat.analysis.progress import Progress, progress
from heliostat.analysis.sensitivity import Sensitivity, ranked_parameters, sensitivities

__all__ = [
    "Counts",
    "Curve",
    "Importance",
    "Progress",
    "Sensitivity",
    "Split",
    "Standing",
    "best_run",
    "budget_of",
    "budget_used",
    "counts",
    "curve_metric",
    "curves",
    "hypervolume",
    "importances",
    "is_counted",
    "is_feasible",
    "leaders",
    "new_places",
    "non_dominated",
    "pareto_front",
    "progress",
    "ranked_parameters",
    "sensitivities",
    "separation",
    "solutions",
    "splits",
    "standing",
]
