"""The beliefs of one experiment: a posterior per steering metric, and one about where runs succeed.

Runs without a result enter as *believers* (Ginsbourger, Le Riche and Carraro 2010, *Kriging is well-suited
to parallelize optimization*): open runs at the posterior mean. Failed runs enter the objectives at
``min(posterior mean, median)``, under hyper-parameters fitted without them: the recipe with the fewest
failures and the best optimum in our trials. Those rows jump where the data are smooth, which bends a
smooth kernel far beyond them, so with failures only Matérn is used (failing toy, 20 fresh seeds of 30 runs:
median best 0.0485 instead of 0.052, 9.4 failures instead of 11.5; random 0.090 and 12.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run
from heliostat_searchers.bayesian.cube import Cube, legal_units
from heliostat_searchers.bayesian.fits import COMPARED_ROWS, hyperparameters, rows_for, spread_over
from heliostat_searchers.bayesian.gp import GP, Data, Hyperparameters, noise_of
from heliostat_searchers.bayesian.kernels import FRONT_RBF, MATERN, RBF, Kernel
from heliostat_searchers.bayesian.pareto import is_efficient
from heliostat_searchers.bayesian.rows import Column, Rows
from heliostat_searchers.bayesian.sources import trends
from heliostat_searchers.bayesian.trend import NO_TREND, Trend
from heliostat_searchers.bayesian.warps import Bilog, Curve, Tail, warp_of

Array = NDArray[np.float64]

WARP_SCALES = (1.0, 0.1, 0.01)
"""Scales of a metric's warp that compete with none at all: in units of the spread, a mild bend, and tails
that reach over one and two orders of magnitude. A finer choice would fit the noise of a few rows."""

FARTHEST_LIMIT = 1e3
"""Standardised limit beyond which no scale is stretched around it: no value is near, and differences between
values would be lost beside it."""

MODEL_ROWS = 1500
"""Rows that a posterior is built from; its cost grows with the cube, 0.2 s at 1500."""

UNTRIED = 256
"""Places of a space without runs that stand for it until the first result: coarse, and gone with that
result."""

NOISY = 0.01
"""Noise variance of standardised values from which it decides where to ask: a tenth of their spread. Below,
places are told apart as well as ever. Medians of the recommended point's regret without and with it:
Hartmann6 with unknown noise 0.42 → 0.27, with told noise 0.65 → 0.22 (12 seeds), Branin, whose noise grows
along an axis, 0.85 → 0.50 (24 seeds)."""

MODEL_FAILURES = 300
"""Failed rows that the objectives' posteriors hold as believers, an even spread of them: each costs as much
as a result and tells less, and a sweep may fail by the thousand."""

SMALLEST_EXTENT = 1e-12
"""An objective whose standardised values differ by less is constant, and does not tell points apart."""

SUCCESS = 0.5
"""Least predicted success rate that counts as safe: an even chance. On the failing toy, 8 seeds of 30 runs
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
        feasible: Features of the points that a new one must beat, ``s x k``: of completed rows inside the
            space that met all guardrails, with tasks full ones if there are any. Without guardrails, where no
            such row is, of all rows inside; where none is inside, of the best places by the models.
        pending: Features of points under way, ``p x k``.
        is_pending_inside: Those that lie in the space, ``p``; bounds may have moved since they began.
        has_tasks: Whether the last feature says on which task.
        ties: Other places whose one objective is exactly that of the best.
        measured: Rows of each objective's data that are results; believers follow them.
        ended: Runs that ended, well or not.
        answered: Features of rows whose repetition would tell nothing, ``a x k``: results without noise, and
            failures; none with tasks, where a place is asked again on another one.
    """

    objectives: tuple[GP, ...]
    guardrails: tuple[GP, ...]
    success: GP | None
    columns: tuple[Column, ...]
    safe: float
    feasible: Array
    pending: Array
    is_pending_inside: NDArray[np.bool_]
    has_tasks: bool
    ties: int
    measured: int
    ended: int
    answered: Array

    @property
    def everyone(self) -> tuple[GP, ...]:
        """All models, in the order of the terms' columns."""
        return (*self.objectives, *self.guardrails, *(() if self.success is None else (self.success,)))

    @property
    def noise(self) -> float:
        """Noise variance of a result of the first objective: the median over (full) runs, told or learned."""
        model = self.objectives[0]
        noise = noise_of(model.data, model.hyper.noise, model.hyper.kernel)[: self.measured]
        if self.has_tasks:
            full = model.data.points[: self.measured, -1] == 0.0
            noise = noise[full] if full.any() else noise
        return float(np.median(noise))

    @property
    def limits(self) -> tuple[float, ...]:
        """Standardised thresholds of the guardrails."""
        return tuple(column.limit or 0.0 for column in self.columns if column.metric.strategy == "constraint")

    @property
    def baseline(self) -> Array:
        """Features of the points that a new one must beat: feasible ones, and pending ones believed to be."""
        believed = self.is_pending_inside.copy()
        if self.has_tasks:
            believed &= self.pending[:, -1] == 0.0
        for model, limit in zip(self.guardrails, self.limits, strict=True):
            believed &= model.mean(self.pending) >= limit
        return np.vstack([self.feasible, self.pending[believed]]) if len(self.feasible) else self.feasible

    def with_pending(self, points: Array, is_inside: NDArray[np.bool_] | None = None) -> Models:
        """The beliefs once `points` (``p x k``) are under way, all in the space unless it is said of each."""
        if not len(points):
            return self
        inside = np.ones(len(points), dtype=bool) if is_inside is None else is_inside
        return replace(
            self,
            objectives=tuple(_believing(model, points) for model in self.objectives),
            guardrails=tuple(_believing(model, points) for model in self.guardrails),
            pending=np.vstack([self.pending, points]),
            is_pending_inside=np.append(self.is_pending_inside, inside),
        )


def fitted(
    spec: ExperimentSpec, cube: Cube, rows: Rows, sources: Sequence[Run] = (), draw: float = 0.5
) -> Models:
    """The beliefs after the rows of an experiment, and after what other experiments saw.

    Args:
        spec: What was declared.
        cube: Where the rows lie.
        rows: Of the experiment.
        sources: Runs of other experiments.
        draw: Uniform in [0, 1): decides whether they are trusted, at the odds that the rows give them.
    """
    points = cube.features(rows.units, rows.tasks[0])
    failed = cube.features(rows.failed, rows.tasks[1])
    known = trends(spec, cube, sources) if sources else {}
    split = len(spec.metrics.objectives)
    kept = kept_rows(rows, split)
    smooth = FRONT_RBF if split > 1 else RBF
    kernels = (MATERN,) if len(failed) else (MATERN, smooth)
    may_warp = [_may_warp(column, place, split, spec) for place, column in enumerate(rows.columns)]
    beliefs = [
        _belief(
            column, _Rows(points, kept, cube, kernels, known.get(column.metric.name, NO_TREND), draw), is_free
        )
        for column, is_free in zip(rows.columns, may_warp, strict=True)
    ]
    models = [model for _, model in beliefs]
    success, safe = _success_model(points, failed, cube)
    settled = Models(
        objectives=tuple(_doubting(model, _spread(failed, MODEL_FAILURES)) for model in models[:split]),
        guardrails=tuple(models[split:]),
        success=success,
        columns=tuple(column for column, _ in beliefs),
        safe=safe,
        feasible=_incumbents(rows, cube, models[:split], split),
        pending=np.zeros((0, cube.k)),
        is_pending_inside=np.zeros(0, dtype=bool),
        has_tasks=cube.has_tasks,
        ties=_ties(rows, split),
        measured=len(kept),
        ended=rows.n + len(failed),
        answered=np.zeros((0, cube.k)),
    )
    if not cube.has_tasks and (not split or settled.noise < NOISY):
        settled = replace(settled, answered=np.vstack([points, failed]))
    return settled.with_pending(cube.features(rows.pending, rows.tasks[2]), rows.is_pending_inside)


def _may_warp(column: Column, place: int, split: int, spec: ExperimentSpec) -> bool:
    """Whether a metric may be modelled on another scale.

    Not one of several objectives, whose hypervolume is one of natural units; not with tasks, whose offsets
    look like a tail; not with known noise, which a warp turns skew (8 seeds on a noisy bowl: the recommended
    point's mean regret 0.036 with and 0.015 without).
    """
    is_exact = bool(np.isnan(column.noise).all())
    return is_exact and not spec.tasks and (split == 1 or place >= split)


def _incumbents(rows: Rows, cube: Cube, objectives: Sequence[GP], split: int) -> Array:
    """Features of the points that a new one must beat; see :class:`Models`.

    Where bounds have left all runs behind, their best values may be out of reach, and only corners would
    promise more; the best places of the new space by the models, which nobody has tried, can be reached.
    """
    known = cube.features(rows.units[_to_beat(rows, split)])
    if rows.is_inside.any() or not objectives or len(rows.columns) > split:
        return known
    points = cube.features(legal_units(cube, UNTRIED, np.random.default_rng(0)))
    means = np.column_stack([model.mean(points) for model in objectives])
    return points[is_efficient(means)]


def _to_beat(rows: Rows, split: int) -> NDArray[np.bool_]:
    """Rows whose places a new one has to beat, ``n``: of full runs, as soon as there are any.

    What a proxy promises is no result: were it to be beaten, nobody would run it in full.
    """
    feasible = rows.is_feasible & rows.is_inside
    if len(rows.columns) == split and not feasible.any():
        feasible = rows.is_inside  # nothing limits, so all runs were stopped early, or none is inside
    full = feasible & (rows.tasks[0] == 0.0)
    return full if full.any() else feasible


def _ties(rows: Rows, split: int) -> int:
    counted = np.flatnonzero(_to_beat(rows, split))
    if split != 1 or not len(counted):
        return 0
    values = rows.columns[0].values[counted]
    return len(np.unique(rows.units[counted[values == values.max()]], axis=0)) - 1


def scalarised(models: Models, weights: Array, owners: NDArray[np.intp]) -> Models:
    """The beliefs with one objective in place of many (Knowles 2006, ParEGO; more is better).

    ``s(y) = minⱼ wⱼ zⱼ + 0.05 Σⱼ wⱼ zⱼ`` with ``zⱼ`` from -1 (the worst value seen) to 0 (the best); 0.05 is
    the paper's, it keeps weakly dominated points out.

    Args:
        models: Beliefs about ``m`` objectives.
        weights: Positive, ``m``.
        owners: Dimension of each feature column, ``k``.
    """
    table = np.column_stack([model.data.values for model in models.objectives])
    behind = (table - table.max(axis=0)) / np.maximum(np.ptp(table, axis=0), SMALLEST_EXTENT) * weights
    total = behind.min(axis=1) + 0.05 * behind.sum(axis=1)
    spread = float(total.std()) or 1.0
    first = models.objectives[0].data
    data = Data(first.points, (total - total.mean()) / spread, np.full(len(total), np.nan))
    return replace(models, objectives=(GP(data, hyperparameters(data, owners)),))


@dataclass(frozen=True, eq=False)
class _Rows:
    """What the models of all metrics share, and the trend of one."""

    points: Array
    kept: NDArray[np.intp]
    cube: Cube
    kernels: tuple[Kernel, ...]
    trend: Trend
    draw: float

    def of(self, column: Column) -> Data:
        return Data(self.points, column.values, column.noise, self.trend).part(self.kept)


def _belief(column: Column, rows: _Rows, may_warp: bool) -> tuple[Column, GP]:
    """A metric's posterior, and its column in the scale in which the data are likeliest."""
    owners = rows.cube.owners
    if rows.trend:
        return column, _with_or_without(column, rows)
    plain = hyperparameters(rows.of(column), owners, rows.kernels)
    if not may_warp or column.is_constant:
        return column, GP(rows.of(column), plain)
    scored = [(_score(column, rows, plain), column)]
    compared = column.values[rows.kept]
    compared = compared[rows_for(compared, COMPARED_ROWS)]
    for curve in _curves(column):
        warped = column.warped(warp_of(column.values, curve))
        jacobian = float(np.log(warped.warp.slope(compared)).mean())
        scored.append((_score(warped, rows, plain) + jacobian, warped))
    chosen = max(scored, key=lambda item: item[0])[1]
    hyper = plain if chosen is column else hyperparameters(rows.of(chosen), owners, rows.kernels)
    return chosen, GP(rows.of(chosen), hyper)


def _curves(column: Column) -> list[Curve]:
    """The changes of scale that compete with none: below the best value, and of a guardrail around its limit.

    Where the limit is better than all values the two are one to the data, and only the latter says how far it
    is.
    """
    limit = column.limit if column.metric.strategy == "constraint" else None
    top = float(column.values.max())
    around: list[Curve] = []
    if limit is not None and abs(limit) <= FARTHEST_LIMIT:
        around = [Bilog(scale, limit) for scale in WARP_SCALES]
        if limit >= top:
            return around
    return [*around, *(Tail(scale, top) for scale in WARP_SCALES)]


def _score(column: Column, rows: _Rows, near: Hyperparameters) -> float:
    return hyperparameters(rows.of(column), rows.cube.owners, (near.kernel,), near=near).score


def _with_or_without(column: Column, rows: _Rows) -> GP:
    """One of two posteriors, on the sources' trend or as if there were none, by their odds.

    Taking the likelier one would follow an unrelated source for as long as few rows cannot tell; with odds
    near even every other proposal ignores it.
    """
    informed = rows.of(column)
    cold = replace(informed, trend=NO_TREND)
    with_, without = (hyperparameters(data, rows.cube.owners, rows.kernels) for data in (informed, cold))
    trusted = expit(informed.n * (with_.score - without.score))
    return GP(informed, with_) if rows.draw < trusted else GP(cold, without)


def _success_model(points: Array, failed: Array, cube: Cube) -> tuple[GP | None, float]:
    if not len(failed):
        return None, 0.0
    outcome = np.append(np.ones(len(points)), np.zeros(len(failed)))
    centre, scale = float(outcome.mean()), float(outcome.std()) or 1.0
    everything = np.vstack([points, failed])
    data = Data(everything, (outcome - centre) / scale, np.full(len(outcome), np.nan))
    data = data.part(_both_ends(len(points), len(failed)))
    return GP(data, hyperparameters(data, cube.owners)), (SUCCESS - centre) / scale


def _both_ends(good: int, bad: int) -> NDArray[np.intp]:
    """Rows of results, then of failures: all, or as many as a model holds, neither kind crowded out."""
    few = min(bad, MODEL_ROWS // 2)
    kept = spread_over(np.arange(good), MODEL_ROWS - few)
    return np.concatenate([kept, good + spread_over(np.arange(bad), MODEL_ROWS - len(kept))])


def _doubting(model: GP, failed: Array) -> GP:
    if not len(failed):
        return model
    return model.with_rows(failed, np.minimum(model.mean(failed), np.median(model.data.values)))


def _spread(points: Array, count: int) -> Array:
    return points[spread_over(np.arange(len(points)), count)]


def _believing(model: GP, points: Array) -> GP:
    return model.with_rows(points, model.mean(points))


def kept_rows(rows: Rows, split: int) -> NDArray[np.intp]:
    """All rows, or of very many the best by each objective, a third of them, and an even spread of the rest.

    The best decide where improvement is looked for; the spread keeps the model from believing the rest good.
    """
    if rows.n <= MODEL_ROWS:
        return np.arange(rows.n)
    leading = rows.columns[: max(split, 1)]
    best = MODEL_ROWS // 3 // len(leading)
    chosen = np.unique(
        np.concatenate([np.argsort(-column.values, kind="stable")[:best] for column in leading])
    )
    rest = np.setdiff1d(np.arange(rows.n), chosen)
    return np.sort(np.concatenate([chosen, spread_over(rest, MODEL_ROWS - len(chosen))]))
