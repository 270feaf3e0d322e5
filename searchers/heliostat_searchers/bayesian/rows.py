"""History → the rows that models learn from: standardised, and turned so that more is always better.

Row treatments, by the state of a run: completed rows are data; early-stopped rows are data with an estimated
end (:mod:`.curves`); failed rows mark the failure region, and so do completed rows without a usable number;
open rows are pending; lost and cancelled rows teach nothing and are left out.
Letters: ``n`` data rows, ``d`` dimensions, ``m`` steering metrics (objectives, then guardrails).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric
from heliostat.space import Space
from heliostat.trial import History, Prediction, Run, State
from heliostat_searchers.bayesian.curves import estimated_final

Array = NDArray[np.float64]

ABSURD = 1e100
"""Values beyond ± this overflow when squared; they stand for "no number", as NaN does."""

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
        centre: Natural value (times sign) at 0.
        scale: Natural units per standardised unit.
    """

    metric: Metric
    values: Array
    noise: Array
    centre: float
    scale: float

    @property
    def limit(self) -> float | None:
        """The threshold, standardised: at least this is wanted."""
        if self.metric.threshold is None:
            return None
        return (self.metric.sign * self.metric.threshold - self.centre) / self.scale

    @property
    def is_constant(self) -> bool:
        """Whether all rows have one value."""
        return bool(np.ptp(self.values) == 0.0)

    def natural(self, mean: float, stddev: float) -> Prediction:
        """A standardised belief in natural units."""
        return Prediction(self.metric.sign * (mean * self.scale + self.centre), stddev * self.scale)


@dataclass(frozen=True, eq=False)
class Rows:
    """The design matrix of an experiment, in the unit cube.

    Args:
        units: Places of the data rows, ``n x d``.
        columns: One per steering metric.
        is_feasible: Completed rows that met every guardrail, ``n``.
        failed: Places where runs failed, ``f x d``.
        pending: Places of open runs, ``p x d``.
    """

    units: Array
    columns: tuple[Column, ...]
    is_feasible: NDArray[np.bool_]
    failed: Array
    pending: Array

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
    completed = history.completed
    numbers = [_usable(run.numbers, spec.metrics.steering) for run in completed]
    known = [(run, values) for run, values in zip(completed, numbers, strict=True) if values]
    stopped = [
        (run, values)
        for run in history.in_state(State.EARLY_STOPPED)
        if (values := _estimated(run, spec.metrics.steering, completed))
    ]
    data = [(run, values) for run, values in known + stopped if _place(spec.space, run) is not None]
    crashed = [run for run, values in zip(completed, numbers, strict=True) if not values]
    return Rows(
        units=_places(spec.space, [run for run, _ in data]),
        columns=tuple(_column(metric, data) for metric in spec.metrics.steering),
        is_feasible=np.array(
            [run.state is State.COMPLETED and spec.metrics.is_feasible(values) for run, values in data],
            dtype=bool,
        ),
        failed=_places(spec.space, history.in_state(State.FAILED) + crashed),
        pending=_places(spec.space, history.open),
    )


def _usable(values: Mapping[str, float], metrics: Sequence[Metric]) -> dict[str, float]:
    """The steering values, or nothing if one of them is no usable number."""
    wanted = {metric.name: values.get(metric.name, np.nan) for metric in metrics}
    return wanted if all(abs(value) <= ABSURD for value in wanted.values()) else {}


def _estimated(run: Run, metrics: Sequence[Metric], completed: Sequence[Run]) -> dict[str, float]:
    finals = {metric.name: estimated_final(run, metric, completed) for metric in metrics}
    return _usable(finals, metrics)


def _column(metric: Metric, data: Sequence[tuple[Run, Mapping[str, float]]]) -> Column:
    if not data:
        return Column(metric, np.zeros(0), np.zeros(0), 0.0, 1.0)
    raw = _fenced(np.array([metric.sign * values[metric.name] for _, values in data]), metric)
    centre = float(raw.mean())
    scale = float(raw.std()) if np.ptp(raw) > 0 else 0.0
    if scale <= 1e-12 * abs(centre):  # differences at the level of rounding are no differences
        raw, scale = np.full_like(raw, centre), _nominal_scale(metric, centre)
    noise = np.array([_noise(run, metric.name) for run, _ in data]) / scale**2
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


def _places(space: Space, runs: Sequence[Run]) -> Array:
    found = [place for run in runs if (place := _place(space, run)) is not None]
    return np.array(found).reshape(len(found), space.d)


def _place(space: Space, run: Run) -> Array | None:
    """Where a run lies, or None if its assignments are of another space (a category since removed)."""
    try:
        return space.encode(run.assignments)
    except (KeyError, ValueError):
        return None
