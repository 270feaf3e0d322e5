"""How far the search had come after each counted run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis.best import gains
from heliostat.analysis.domination import joined
from heliostat.analysis.feasibility import Standing, in_standing
from heliostat.analysis.hypervolume import hypervolume
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run

BEYOND_WORST = 0.1
"""The reference lies this part of an objective's range below the worst feasible value, so that the ends of
the front count too. A tenth is BoTorch's (after Ishibuchi, Akedo and Nojima 2011, *A many-objective test
problem for visually examining diversity maintenance behavior in a decision space*), which measures it from
the worst of the front."""


@dataclass(frozen=True)
class Progress:
    """A curve that never gets worse.

    Args:
        measure: The objective's name, or ``hypervolume``.
        numbers: Numbers of the counted runs, growing.
        values: Best value so far, or hypervolume so far as a share of the box from the reference point to the
            best value of each objective; NaN before the first feasible run.
        improved: Numbers of the runs that moved the curve.
    """

    measure: str
    numbers: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    improved: tuple[int, ...] = ()


def progress(spec: ExperimentSpec, runs: Sequence[Run]) -> Progress:
    """Best value (one objective) or hypervolume (several) after each counted run.

    Empty without objectives and without counted runs.
    """
    objectives = spec.metrics.objectives
    measure = objectives[0].name if len(objectives) == 1 else "hypervolume"
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    if not objectives or not counted:
        return Progress(measure)
    feasible = np.array([spec.metrics.is_feasible(run.numbers) for run in counted])
    values = gains(spec, counted)
    curve = _best(values[:, 0], feasible) if len(objectives) == 1 else _volumes(spec, values, feasible)
    filled = np.where(np.isnan(curve), -np.inf, curve)
    moved = filled > np.append(-np.inf, filled[:-1])
    numbers = tuple(run.number for run in counted)
    shown = curve * (objectives[0].sign if len(objectives) == 1 else 1.0)
    improved = tuple(number for number, is_move in zip(numbers, moved, strict=True) if is_move)
    return Progress(measure, numbers, tuple(shown.tolist()), improved)


def reference_point(spec: ExperimentSpec, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where hypervolume is measured from, in gains (more is better), shape ``m``.

    The threshold where an objective declares one; otherwise a little below the worst feasible value.

    Args:
        spec: The experiment.
        values: Gains of its feasible runs, shape ``n x m``, ``n`` ≥ 1.
    """
    scale = _scale(values)
    return _scaled_reference(spec, values / scale, scale) * scale


def _scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest magnitude by objective: differences of scaled values neither over- nor underflow."""
    scale = np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    return np.asarray(scale, dtype=float)


def _scaled_reference(
    spec: ExperimentSpec, scaled: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    worst = scaled.min(axis=0)
    span = scaled.max(axis=0) - worst
    reference = worst - BEYOND_WORST * np.where(span > 0, span, 1.0)
    for column, metric in enumerate(spec.metrics.objectives):
        if metric.threshold is not None:
            reference[column] = metric.sign * metric.threshold / scale[column]
    return np.asarray(reference, dtype=float)


def _best(values: NDArray[np.float64], feasible: NDArray[np.bool_]) -> NDArray[np.float64]:
    curve = np.maximum.accumulate(np.where(feasible, values, -np.inf))
    return np.where(np.isneginf(curve), np.nan, curve)


def _volumes(
    spec: ExperimentSpec, values: NDArray[np.float64], feasible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    curve = np.full(len(values), np.nan)
    if not feasible.any():
        return curve
    scale = _scale(values[feasible])
    scaled = np.where(feasible[:, None], values, 0.0) / scale
    reference = _scaled_reference(spec, scaled[feasible], scale)
    box = scaled[feasible].max(axis=0) - reference
    if np.any(box <= 0):  # nothing lies inside the thresholds
        return np.where(np.cumsum(feasible) > 0, 0.0, np.nan)
    points = (scaled - reference) / box
    front, volume = np.empty((0, values.shape[1])), np.nan
    for place, point in enumerate(points):
        grown = joined(front, point) if feasible[place] else None
        if grown is not None:
            front = grown
            volume = hypervolume(front, np.zeros(values.shape[1]))
        curve[place] = volume
    return np.fmax.accumulate(curve)
