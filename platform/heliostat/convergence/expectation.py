"""What the model still expected of the points it chose, from the predictions that ride along with runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import Standing, hypervolume, non_dominated, standing
from heliostat.convergence.record import Record, boxed
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run

Array = NDArray[np.float64]

DRAWS = 32
"""Outcomes per point for the expected hypervolume: ±20 % of it, and the verdict asks for its order only."""


def expected_gains(spec: ExperimentSpec, known: Record, runs: Sequence[Run]) -> list[float]:
    """Expected improvement of each run's point on today's best, times its chance to be feasible.

    Args:
        spec: The experiment.
        known: What it has won.
        runs: Open or ended ones.

    Returns:
        In the record's unit; NaN where a run carries no prediction of every objective.
    """
    names = [metric.name for metric in spec.metrics.objectives]
    found = [math.nan] * len(runs)
    able = [place for place, run in enumerate(runs) if names and all(name in run.predicted for name in names)]
    if not able:
        return found
    if len(names) == 1:
        improvements = [_improvement(spec, known.best, runs[place]) for place in able]
    else:
        improvements = _volumes(spec, known, [runs[place] for place in able])
    for place, improvement in zip(able, improvements, strict=True):
        found[place] = improvement * _chance(spec, runs[place])
    return found


def _improvement(spec: ExperimentSpec, best: float, run: Run) -> float:
    """Jones et al. 1998, *Efficient global optimization of expensive black-box functions*."""
    metric = spec.metrics.objectives[0]
    expected = run.predicted[metric.name]
    ahead = metric.sign * expected.mean - best
    if not expected.stddev > 0:
        return max(ahead, 0.0)
    far = ahead / expected.stddev
    density = math.exp(-0.5 * far * far) / math.sqrt(2 * math.pi)
    return max(ahead * _below(far) + expected.stddev * density, 0.0)


def _volumes(spec: ExperimentSpec, known: Record, runs: Sequence[Run]) -> list[float]:
    """Expected hypervolume improvement, sampled, in shares of the box of the feasible runs."""
    feasible = [run for run in known.ended if standing(spec, run) is Standing.FEASIBLE]
    points, (corner, edges) = boxed(spec, feasible)
    front = points[non_dominated(points)]
    zero = np.zeros(points.shape[1])
    volume = hypervolume(front, zero)
    normal = np.random.default_rng(0).standard_normal((DRAWS, points.shape[1]))
    found = []
    for run in runs:
        beliefs = [(metric.sign, run.predicted[metric.name]) for metric in spec.metrics.objectives]
        mean = np.array([sign * belief.mean for sign, belief in beliefs])
        spread = np.array([belief.stddev for _, belief in beliefs])
        draws = (mean + normal * spread - corner) / edges
        is_beaten = np.all(front[None] >= draws[:, None], axis=2).any(axis=1)  # most are, and add nothing
        grown = [hypervolume(np.vstack([front, draw]), zero) - volume for draw in draws[~is_beaten]]
        found.append(float(np.sum(grown)) / DRAWS)
    return found


def _chance(spec: ExperimentSpec, run: Run) -> float:
    chance = 1.0
    for metric in spec.metrics.guardrails:
        belief = run.predicted.get(metric.name)
        if belief is not None and metric.threshold is not None and belief.stddev > 0:
            chance *= _below(metric.sign * (belief.mean - metric.threshold) / belief.stddev)
    return chance


def _below(z: float) -> float:
    """The standard normal distribution; SciPy's costs everyone who declares an experiment 0.2 s to import."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
