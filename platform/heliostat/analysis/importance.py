"""How much each parameter matters for each metric.

As in SigOpt's server, a forest of 100 extremely randomized trees [Geurts2006]_ is fitted to the counted runs,
one forest per metric; a parameter's importance is the sum of the impurity decreases of its feature columns. A
forest that fits noise still hands out importances that sum to one, so words are given only where its
out-of-bag R² [Breiman2001]_ says that it predicts.

.. [Breiman2001] L. Breiman. Random forests. Machine Learning 45, 2001.
.. [Geurts2006] P. Geurts, D. Ernst, L. Wehenkel. Extremely randomized trees. Machine Learning 63, 2006.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis.feasibility import Standing, in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.space import Categorical, Features, Space
from heliostat.trial import Run

TREES = 100
"""As in SigOpt's server."""

RUNS_PER_PARAMETER = 5
"""Fewer leave a parameter's effect to chance: five points are the least that show a bend."""

SMALLEST_R2 = 0.2
"""A forest that explains less than a fifth of the variance has no opinion worth a word."""

LARGEST_SAMPLE = 1000
"""Most runs a forest is fitted to, evenly spread over the experiment: more change seconds, not words."""

RULE = (
    "High = more than its fair share (importance above 1 / number of parameters), Low otherwise. "
    f"Not clear yet = fewer than {RUNS_PER_PARAMETER} runs with a value per parameter, "
    f"or the forest predicts too little (out-of-bag R² under {SMALLEST_R2:g})."
)
"""The rule behind the words, printed under every table of them."""


@dataclass(frozen=True)
class Importance:
    """Importance of all parameters for one metric.

    Args:
        metric: Its name.
        shares: Importance by parameter, adding up to 1; empty while there is no forest.
        r2: Out-of-bag R² of the forest, NaN without one.
        runs: Number of runs it was fitted to.
        unclear: Why no words are given, empty if they are.
    """

    metric: str
    shares: Mapping[str, float] = field(default_factory=dict)
    r2: float = math.nan
    runs: int = 0
    unclear: str = ""

    def word(self, parameter: str) -> str:
        """``High``, ``Low`` or ``not clear yet``."""
        if self.unclear:
            return "not clear yet"
        if len(self.shares) == 1:  # a lone parameter has its fair share and yet explains all there is
            return "High"
        return "High" if self.shares.get(parameter, 0.0) > 1 / len(self.shares) else "Low"


def importances(spec: ExperimentSpec, runs: Sequence[Run]) -> list[Importance]:
    """One importance per declared metric, in declared order.

    Counted runs take part, feasible or not, and early-stopped ones with what they had shown: the forest sees
    the step that each run reached as one more column, which takes no part in the shares. Runs whose
    assignments do not fit the space (a foreign category) or whose value is not finite are left out.
    """
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE, Standing.EARLY_STOPPED)
    known = [run for run in counted if _fits(spec.space, run)]
    layout = Features(spec.space)
    return [_importance(layout, metric.name, known) for metric in spec.metrics.all]


def _fits(space: Space, run: Run) -> bool:
    for item in space.dimensions:
        value = run.assignments.get(item.name)
        if value is None:
            continue
        if isinstance(item, Categorical):
            if str(value) not in item.values:
                return False
        elif isinstance(value, (str, bool)) or not math.isfinite(value):
            return False
    return True


def _importance(layout: Features, metric: str, known: Sequence[Run]) -> Importance:
    used = [run for run in known if math.isfinite(run.numbers.get(metric, math.nan))]
    wanted = RUNS_PER_PARAMETER * layout.space.d
    if len(used) < wanted:
        return Importance(metric, runs=len(used), unclear=f"{len(used)} of {wanted} runs needed")
    places = np.linspace(0, len(used) - 1, min(len(used), LARGEST_SAMPLE)).round().astype(int)
    used = [used[place] for place in places]
    target = _normalised(np.array([run.numbers[metric] for run in used]))
    if target is None:
        return Importance(metric, runs=len(used), unclear="one value only")
    rows = layout.rows([dict(run.assignments) for run in used])
    columns, r2 = _forest(np.column_stack([rows, _steps(used)]), target)
    total = float(columns[: layout.k].sum()) or 1.0
    shares = {
        item.name: float(columns[place].sum()) / total
        for item, place in zip(layout.space.dimensions, layout.columns, strict=True)
    }
    unclear = "" if r2 >= SMALLEST_R2 else f"out-of-bag R² {r2:.2f}"
    return Importance(metric, shares, r2, len(used), unclear)


def _steps(runs: Sequence[Run]) -> NDArray[np.float64]:
    """The last step of each run's curve, shape ``n``; a constant where there are no curves."""
    return np.array([float(run.curve[-1].step) if run.curve else 0.0 for run in runs])


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The values on [0, 1], or ``None`` if they are all the same; safe from 1e-300 to 1e300."""
    values = values / max(float(np.abs(values).max()), np.finfo(float).tiny)
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else None


def _forest(rows: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Importances of the ``k`` columns and the out-of-bag R² of a forest on ``n x k`` rows."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(TREES, bootstrap=True, oob_score=True, random_state=0, n_jobs=1)
    forest.fit(rows, target)
    return np.asarray(forest.feature_importances_, dtype=float), float(forest.oob_score_)
