"""The beliefs of one experiment: a posterior per steering metric, and one about where runs succeed.

Runs without a result enter as *believers* (Ginsbourger, Le Riche and Carraro 2010, *Kriging is well-suited
to parallelize optimization*): open runs at the posterior mean. Failed runs enter the objectives at
``min(posterior mean, median)``, under hyper-parameters fitted without them: the recipe with the fewest
failures and the best optimum in our trials. Those rows jump where the data are smooth, which bends a
smooth kernel far beyond them, so with failures only Matérn is used (failing toy, 20 fresh seeds of 30 runs:
median best 0.0485 instead of 0.052, 9.4 failures instead of 11.5; random 0.090 and 12.8).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.gp import GP, Data, Hyperparameters, fit
from heliostat_searchers.bayesian.kernels import MATERN, RBF, Kernel
from heliostat_searchers.bayesian.rows import Column, Rows

Array = NDArray[np.float64]

FIT_ROWS = 300
"""Rows that hyper-parameters are fitted to; a fit of 300 rows takes 0.2 s, of 1000 rows 5 s."""

MODEL_ROWS = 1500
"""Rows that a posterior is built from; its cost grows with the cube, 0.2 s at 1500."""

SUCCESS = 0.5
"""Least predicted success rate that counts as safe: that of recipe 7a. On the failing toy, 8 seeds of 30 runs
each, 0.5, 0.65 and 0.8 did not differ beyond the spread between seeds."""


@dataclass(frozen=True, eq=False)
class Models:
    """Posteriors in features, with the columns that say what their numbers mean.

    Args:
        objectives: One per optimized metric.
        guardrails: One per guardrail.
        success: Belief about success (1) and failure (0); None while no run has failed.
        columns: Of objectives, then guardrails.
        safe: The success rate :data:`SUCCESS` in the units of `success`.
        feasible: Features of completed rows that met all guardrails, ``s x k``; without guardrails, where
            all runs were stopped early, those of all rows.
        pending: Features of points under way, ``p x k``.
    """

    objectives: tuple[GP, ...]
    guardrails: tuple[GP, ...]
    success: GP | None
    columns: tuple[Column, ...]
    safe: float
    feasible: Array
    pending: Array

    @property
    def limits(self) -> tuple[float, ...]:
        """Standardised thresholds of the guardrails."""
        return tuple(column.limit or 0.0 for column in self.columns if column.metric.strategy == "constraint")

    @property
    def baseline(self) -> Array:
        """Features of the points that a new one must beat: feasible ones, and pending ones believed to be."""
        believed = np.ones(len(self.pending), dtype=bool)
        for model, limit in zip(self.guardrails, self.limits, strict=True):
            believed &= model.at(self.pending)[0] >= limit
        return np.vstack([self.feasible, self.pending[believed]]) if len(self.feasible) else self.feasible

    def with_pending(self, points: Array) -> Models:
        """The beliefs once `points` (``p x k``) are under way."""
        if not len(points):
            return self
        return replace(
            self,
            objectives=tuple(_believing(model, points) for model in self.objectives),
            guardrails=tuple(_believing(model, points) for model in self.guardrails),
            pending=np.vstack([self.pending, points]),
        )


def fitted(spec: ExperimentSpec, cube: Cube, rows: Rows) -> Models:
    """The beliefs after the rows of an experiment."""
    points = cube.features(rows.units)
    failed = cube.features(rows.failed)
    split = len(spec.metrics.objectives)
    kept = _kept(rows, split)
    kernels = (MATERN,) if len(failed) else (MATERN, RBF)
    models = [_metric_model(column, points, kept, cube, kernels) for column in rows.columns]
    success, safe = _success_model(points, failed, cube)
    settled = Models(
        objectives=tuple(_doubting(model, failed) for model in models[:split]),
        guardrails=tuple(models[split:]),
        success=success,
        columns=rows.columns,
        safe=safe,
        feasible=points[rows.is_feasible] if rows.is_feasible.any() or models[split:] else points,
        pending=np.zeros((0, cube.k)),
    )
    return settled.with_pending(cube.features(rows.pending))


def scalarised(models: Models, weights: Array, owners: NDArray[np.intp]) -> Models:
    """The beliefs with one objective in place of many (Knowles 2006, ParEGO; more is better).

    ``s(y) = minⱼ wⱼ yⱼ + 0.05 Σⱼ wⱼ yⱼ``; 0.05 is the paper's, it keeps weakly dominated points out.

    Args:
        models: Beliefs about ``m`` objectives.
        weights: Positive, ``m``.
        owners: Dimension of each feature column, ``k``.
    """
    table = np.column_stack([model.data.values for model in models.objectives]) * weights
    total = table.min(axis=1) + 0.05 * table.sum(axis=1)
    spread = float(total.std()) or 1.0
    first = models.objectives[0].data
    data = Data(first.points, (total - total.mean()) / spread, np.full(len(total), np.nan))
    return replace(models, objectives=(GP(data, _cached_fit(Question(data, owners))),))


def _metric_model(
    column: Column, points: Array, kept: NDArray[np.intp], cube: Cube, kernels: tuple[Kernel, ...]
) -> GP:
    data = Data(points, column.values, column.noise).part(kept)
    return GP(data, _hyper(data, cube.owners, kernels))


def _success_model(points: Array, failed: Array, cube: Cube) -> tuple[GP | None, float]:
    if not len(failed):
        return None, 0.0
    outcome = np.append(np.ones(len(points)), np.zeros(len(failed)))
    centre, scale = float(outcome.mean()), float(outcome.std()) or 1.0
    everything = np.vstack([points, failed])
    data = Data(everything, (outcome - centre) / scale, np.full(len(outcome), np.nan))
    data = data.part(_spread(np.arange(data.n), MODEL_ROWS))
    return GP(data, _hyper(data, cube.owners)), (SUCCESS - centre) / scale


def _doubting(model: GP, failed: Array) -> GP:
    if not len(failed):
        return model
    return model.with_rows(failed, np.minimum(model.at(failed)[0], np.median(model.data.values)))


def _believing(model: GP, points: Array) -> GP:
    return model.with_rows(points, model.at(points)[0])


def _kept(rows: Rows, split: int) -> NDArray[np.intp]:
    """All rows, or of very many the best third by each objective and an even spread of the rest."""
    if rows.n <= MODEL_ROWS:
        return np.arange(rows.n)
    leading = rows.columns[: max(split, 1)]
    best = MODEL_ROWS // 3 // len(leading)
    chosen = np.unique(
        np.concatenate([np.argsort(-column.values, kind="stable")[:best] for column in leading])
    )
    rest = np.setdiff1d(np.arange(rows.n), chosen)
    return np.sort(np.concatenate([chosen, _spread(rest, MODEL_ROWS - len(chosen))]))


def _hyper(
    data: Data, owners: NDArray[np.intp], kernels: tuple[Kernel, ...] = (MATERN, RBF)
) -> Hyperparameters:
    if data.n > FIT_ROWS:
        best = np.argsort(-data.values, kind="stable")[: FIT_ROWS // 3]
        rest = np.setdiff1d(np.arange(data.n), best)
        data = data.part(np.sort(np.concatenate([best, _spread(rest, FIT_ROWS - len(best))])))
    return _cached_fit(Question(data, owners, kernels))


def _spread(indices: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """At most `count` of the indices, evenly over their order."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).astype(np.intp)]


class Question:
    """What a fit depends on, comparable by content.

    Args:
        data: The rows.
        owners: Dimension of each feature column.
        kernels: Families to choose among.
    """

    def __init__(
        self, data: Data, owners: NDArray[np.intp], kernels: tuple[Kernel, ...] = (MATERN, RBF)
    ) -> None:
        self.data = data
        self.owners = owners
        self.kernels = kernels
        parts = (data.points, data.values, data.noise, owners)
        self._same = (tuple(kernel.name for kernel in kernels), b"|".join(part.tobytes() for part in parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Question) and self._same == other._same

    def __hash__(self) -> int:
        return hash(self._same)


@lru_cache(maxsize=32)  # a dozen metrics of a few experiments that share the process
def _cached_fit(question: Question) -> Hyperparameters:
    return fit(question.data, question.owners, question.kernels)
