"""History → the rows that models learn from: standardised, and turned so that more is always better.

Row treatments, by the state of a run: completed rows are data; early-stopped rows are data with an estimated
end (:mod:`.curves`); failed rows mark the failure region, and so do completed rows without a usable number;
open rows are pending; lost and cancelled rows teach nothing and are left out. So are completed rows that lack
a metric: it was no steering one when they ended, since a run that forgets one has failed.
Letters: ``n`` data rows, ``d`` dimensions, ``m`` steering metrics (objectives, then guardrails).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric
from heliostat.trial import History, Prediction, Run, State
from heliostat_searchers.bayesian.curves import Finished
from heliostat_searchers.bayesian.outside import Places
from heliostat_searchers.bayesian.tasks import place_of
from heliostat_searchers.bayesian.warps import IDENTITY, Warp

Array = NDArray[np.float64]

ABSURD = 1e100
"""Values beyond ± this overflow when squared; they stand for "no number", as NaN does."""

ALL_NOISE = 1e12
"""Known noise variance of standardised values beyond which a row says nothing; infinity is no number."""

FENCE = 3.0
"""Values worse than the lower quartile by this many interquartile ranges are drawn in (Tukey's "far out"):
how bad a bad region is does not matter, and one 1e30 would flatten all other differences."""


@dataclass(frozen=True, eq=False)
class Column:
    """One steering metric over the data rows.

    Args:
        metric: Its declaration.
        values: Standardised, more is better, ``n``.
        noise: Known noise variance in the same units, NaN where unknown, ``n``.
        centre: Natural value (times sign) at 0, before the warp.
        scale: Natural units per standardised unit, before the warp.
        warp: What was done to the standardised values.
    """

    metric: Metric
    values: Array
    noise: Array
    centre: float
    scale: float
    warp: Warp = IDENTITY

    @property
    def limit(self) -> float | None:
        """The threshold, standardised: at least this is wanted."""
        if self.metric.threshold is None:
            return None
        return float(self.standardised(self.metric.threshold))

    def standardised(self, natural: float) -> Array:
        """A natural value in the units of `values`."""
        plain = (self.metric.sign * natural - self.centre) / self.scale
        return self.warp.forward(np.asarray(plain))

    def warped(self, warp: Warp) -> Column:
        """This column, which has no warp yet, under one; known noise follows the local slope."""
        slope = warp.slope(self.values)
        return replace(self, values=warp.forward(self.values), noise=self.noise * slope**2, warp=warp)

    @property
    def is_constant(self) -> bool:
        """Whether all rows have one value."""
        return bool(np.ptp(self.values) == 0.0)

    def natural(self, mean: float, stddev: float) -> Prediction:
        """A standardised belief in natural units; under a warp its median, and half its central 68 %."""
        middle, spread = self.naturals(np.array([mean]), np.array([stddev]))
        return Prediction(float(middle[0]), float(spread[0]))

    def naturals(self, mean: Array, stddev: Array) -> tuple[Array, Array]:
        """:meth:`natural` of `b` beliefs at once."""
        low, middle, high = self.warp.backward(np.stack([mean - stddev, mean, mean + stddev]))
        return self.metric.sign * (middle * self.scale + self.centre), (high - low) / 2 * self.scale


@dataclass(frozen=True, eq=False)
class Rows:
    """The design matrix of an experiment, in the unit cube.

    Args:
        units: Places of the data rows, ``n x d``.
        columns: One per steering metric.
        is_feasible: Completed rows that met every guardrail, ``n``.
        is_inside: Rows at places that could be proposed: bounds or grids may have moved since, ``n``.
        failed: Places where runs failed, ``f x d``.
        pending: Places of open runs, ``p x d``.
        is_pending_inside: As `is_inside`, of open runs, ``p``.
        tasks: Places of the tasks of data, failed and pending rows (:mod:`.tasks`), ``n``, ``f`` and ``p``.
        numbers: Of the runs of the data rows, ``n``.
    """

    units: Array
    columns: tuple[Column, ...]
    is_feasible: NDArray[np.bool_]
    is_inside: NDArray[np.bool_]
    failed: Array
    pending: Array
    is_pending_inside: NDArray[np.bool_]
    tasks: tuple[Array, Array, Array]
    numbers: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of data rows."""
        return len(self.units)

    @property
    def distinct(self) -> int:
        """Number of different places among the data rows."""
        return len(np.unique(self.units, axis=0))


def read_rows(spec: ExperimentSpec, history: History) -> Rows:
    """The rows of an experiment's history."""
    steering, guards = spec.metrics.steering, spec.metrics.guardrails
    space = Places(spec.space)
    places = [(run, place) for run in history.runs if (place := space.of(run.assignments)) is not None]
    completed = [run for run, _ in places if run.state is State.COMPLETED]
    finished = Finished(completed, lambda run: place_of(spec, run.task))
    data, crashed = [], []
    for run, place in places:
        if run.state is State.COMPLETED and (values := _usable(run.numbers, steering)):
            data.append((run, place, values, all(metric.is_met(values[metric.name]) for metric in guards)))
        elif run.state is State.EARLY_STOPPED and (values := _estimated(run, steering, finished)):
            data.append((run, place, values, False))
        elif run.state is State.FAILED or (run.state is State.COMPLETED and not _lacks(run, steering)):
            crashed.append((run, place))
    pending = [(run, place) for run, place in places if run.state.is_open]
    lists = ([item[:2] for item in data], crashed, pending)
    units, failed, waiting = (_stacked(spec.space.d, [place.unit for _, place in items]) for items in lists)
    measured = [(run, values) for run, _, values, _ in data]
    return Rows(
        units=units,
        columns=tuple(column_of(metric, measured) for metric in steering),
        is_feasible=np.array([is_feasible for *_, is_feasible in data], dtype=bool),
        is_inside=np.array([place.is_inside for _, place, *_ in data], dtype=bool),
        failed=failed,
        pending=waiting,
        is_pending_inside=np.array([place.is_inside for _, place in pending], dtype=bool),
        tasks=tuple(np.array([place_of(spec, run.task) for run, _ in items]) for items in lists),  # type: ignore[arg-type]  # three lists
        numbers=tuple(run.number for run, *_ in data),
    )


def _usable(values: Mapping[str, float], metrics: Sequence[Metric]) -> dict[str, float]:
    """The steering values, or nothing if one of them is no usable number."""
    wanted = {metric.name: values.get(metric.name, np.nan) for metric in metrics}
    return wanted if all(abs(value) <= ABSURD for value in wanted.values()) else {}


def _lacks(run: Run, metrics: Sequence[Metric]) -> bool:
    return any(metric.name not in run.numbers for metric in metrics)


def _estimated(run: Run, metrics: Sequence[Metric], finished: Finished) -> dict[str, float]:
    return _usable({metric.name: finished.estimate(run, metric) for metric in metrics}, metrics)


def column_of(metric: Metric, data: Sequence[tuple[Run, Mapping[str, float]]]) -> Column:
    """A metric over rows, standardised; `data` are runs with the values that count."""
    if not data:
        return Column(metric, np.zeros(0), np.zeros(0), 0.0, 1.0)
    raw = _fenced(np.array([metric.sign * values[metric.name] for _, values in data]), metric)
    centre = float(raw.mean())
    scale = float(raw.std()) if np.ptp(raw) > 0 else 0.0
    if scale <= 1e-12 * abs(centre):  # differences at the level of rounding are no differences
        raw, scale = np.full_like(raw, centre), _nominal_scale(metric, centre)
    noise = np.minimum(np.array([_noise(run, metric.name) for run, _ in data]) / scale**2, ALL_NOISE)
    return Column(metric, (raw - centre) / scale, noise, centre, scale)


def _fenced(values: Array, metric: Metric) -> Array:
    low, high = np.quantile(values, [0.25, 0.75])
    fence = low - FENCE * (high - low)
    if metric.threshold is not None:  # both sides of a threshold must stay apart
        fence = min(fence, metric.sign * metric.threshold - (high - low))
    return np.maximum(values, fence) if high > low else values


def _nominal_scale(metric: Metric, centre: float) -> float:
    """A scale for a metric that never varied: its distance from the threshold, where there is one."""
    away = 0.0 if metric.threshold is None else abs(metric.sign * metric.threshold - centre)
    return away if away > 0 else max(abs(centre), 1.0)


def _noise(run: Run, name: str) -> float:
    measured = run.values.get(name)
    stddev = None if measured is None else measured.stddev
    is_usable = stddev is not None and 0.0 <= stddev <= ABSURD
    return float(stddev) ** 2 if stddev is not None and is_usable else np.nan


def _stacked(d: int, places: Sequence[Array]) -> Array:
    return np.array(places).reshape(len(places), d)
