"""The best run of one objective, the Pareto front of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis.domination import non_dominated
from heliostat.analysis.feasibility import Standing, in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run


def gains(spec: ExperimentSpec, runs: Sequence[Run]) -> NDArray[np.float64]:
    """Objective values turned so that more is better, shape ``n x m``; every run must be counted."""
    objectives = spec.metrics.objectives
    rows = [[metric.sign * run.numbers[metric.name] for metric in objectives] for run in runs]
    return np.array(rows, dtype=float).reshape(len(runs), len(objectives))


def pareto_front(spec: ExperimentSpec, runs: Sequence[Run]) -> list[Run]:
    """The feasible runs that no other feasible run dominates, by number.

    Where objectives declare thresholds, runs beyond them are left out. With one objective these are the best
    run and its ties; without objectives there is no front.
    """
    objectives = spec.metrics.objectives
    candidates = [
        run
        for run in in_standing(spec, runs, Standing.FEASIBLE)
        if all(metric.is_met(run.numbers[metric.name]) for metric in objectives)
    ]
    if not objectives or not candidates:
        return []
    mask = non_dominated(gains(spec, candidates))
    return [run for run, is_kept in zip(candidates, mask, strict=True) if is_kept]


def best_run(spec: ExperimentSpec, runs: Sequence[Run]) -> Run | None:
    """The best feasible run, the earliest among equals.

    ``None`` if there is none, or unless the experiment has exactly one objective.
    """
    if len(spec.metrics.objectives) != 1:
        return None
    return next(iter(pareto_front(spec, runs)), None)


def leaders(spec: ExperimentSpec, runs: Sequence[Run]) -> list[Run]:
    """What a reader looks for first: the best run, or with several objectives the Pareto front."""
    if len(spec.metrics.objectives) > 1:
        return pareto_front(spec, runs)
    best = best_run(spec, runs)
    return [] if best is None else [best]
