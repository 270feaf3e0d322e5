"""The best run of one objective, several solutions, the Pareto front of several objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis.domination import non_dominated
from heliostat.analysis.feasibility import Standing, in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.space import Features
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
    """What a reader looks for first.

    The best run; with several objectives the Pareto front, with several solutions those, best first; without
    an objective all runs that keep within the guardrails.
    """
    if not spec.metrics.objectives:
        return in_standing(spec, runs, Standing.FEASIBLE)
    if len(spec.metrics.objectives) > 1:
        return pareto_front(spec, runs)
    if spec.num_solutions > 1:
        return solutions(spec, runs)
    best = best_run(spec, runs)
    return [] if best is None else [best]


def separation(d: int) -> float:
    """Least distance in the unit cube of `d` dimensions at which two solutions count as different.

    A quarter of the mean distance of random points, √(d/6).
    """
    return 0.1 * math.sqrt(d)


def solutions(spec: ExperimentSpec, runs: Sequence[Run]) -> list[Run]:
    """The best runs of one objective that keep :func:`separation` apart, best first, at most as declared."""
    (metric,) = spec.metrics.objectives
    features, radius = Features(spec.space), separation(spec.space.d)
    ranked = sorted(
        in_standing(spec, runs, Standing.FEASIBLE), key=lambda run: -metric.sign * run.numbers[metric.name]
    )
    chosen: list[Run] = []
    places: list[Any] = []
    for run in ranked:
        place = features.row(dict(run.assignments))
        if all(math.dist(place, other) >= radius for other in places):
            chosen.append(run)
            places.append(place)
        if len(chosen) == spec.num_solutions:
            break
    return chosen
