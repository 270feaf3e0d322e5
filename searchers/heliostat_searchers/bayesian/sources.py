"""Transfer: runs of other experiments become prior means (:mod:`.trend`) for metrics of the same name.

The spaces need to overlap only partly: a parameter that a source does not have is one that its model does not
depend on, one that only the source has is left out, and values outside our bounds keep their place outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric
from heliostat.space import Value
from heliostat.trial import Run, State
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.fits import hyperparameters
from heliostat_searchers.bayesian.gp import GP, Data, Hyperparameters
from heliostat_searchers.bayesian.outside import FAR, unit_of
from heliostat_searchers.bayesian.rows import ABSURD, column_of
from heliostat_searchers.bayesian.trend import Trend

Array = NDArray[np.float64]

FEWEST = 4
"""Rows below which a source says nothing: as many as our own design has at least."""

MOST = 200
"""Rows of one source: the best half and an even spread of the rest; its model costs 20 ms."""

NO_EFFECT = 1e6
"""Length scale of a column that a source does not know."""


def trends(spec: ExperimentSpec, cube: Cube, sources: Sequence[Run]) -> dict[str, Trend]:
    """The prior means that sources give, by metric; metrics that no source knows are left out."""
    groups = [list(runs) for _, runs in groupby(sorted(sources, key=_origin), key=_origin)]
    found: dict[str, list[GP]] = {}
    for metric in spec.metrics.steering:
        for runs in groups:
            model = _source_model(metric, cube, runs)
            if model is not None:
                found.setdefault(metric.name, []).append(model)
    return {name: Trend(tuple(models)) for name, models in found.items()}


def _origin(run: Run) -> tuple[int, str, str]:
    """What a source's runs share; studies of other optimizers without an experiment may share a project."""
    study = "" if run.experiment else str(run.metadata.get("study", ""))
    return (run.experiment or 0, run.project, study)


def _source_model(metric: Metric, cube: Cube, runs: Iterable[Run]) -> GP | None:
    known = [
        (run, place) for run in runs if _counts(run, metric) and (place := _place(cube, run)) is not None
    ]
    if len(known) < FEWEST:
        return None
    known = _thinned(metric, known)
    column = column_of(metric, [(run, run.numbers) for run, _ in known])
    if column.is_constant:
        return None
    points = cube.features(np.array([place for _, place in known]))
    data = Data(points, column.values, column.noise)
    return GP(data, _blind(hyperparameters(data, cube.owners), cube, [run.assignments for run, _ in known]))


def _counts(run: Run, metric: Metric) -> bool:
    return run.state is State.COMPLETED and abs(run.numbers.get(metric.name, math.nan)) <= ABSURD


def _thinned(metric: Metric, known: list[tuple[Run, Array]]) -> list[tuple[Run, Array]]:
    if len(known) <= MOST:
        return known
    ranked = sorted(known, key=lambda item: -metric.sign * item[0].numbers[metric.name])
    rest = ranked[MOST // 2 :]
    spread = np.linspace(0, len(rest) - 1, MOST - MOST // 2).astype(np.intp)
    return ranked[: MOST // 2] + [rest[place] for place in spread]


def _place(cube: Cube, run: Run) -> Array | None:
    """Where a source's run lies in our cube, 0.5 where it has no value; None if it lies nowhere near it."""
    result = np.full(cube.space.d, 0.5)
    for index, item in enumerate(cube.space.dimensions):
        value = run.assignments.get(item.name)
        if value is None:
            continue
        unit = unit_of(item, value)
        if unit is None or not -FAR <= unit <= 1.0 + FAR:
            return None
        result[index] = unit
    return result if any(name in cube.space.index for name in run.assignments) else None


def _blind(hyper: Hyperparameters, cube: Cube, rows: Sequence[Mapping[str, Value]]) -> Hyperparameters:
    """The hyper-parameters of a model that does not look at columns which no row has a value for."""
    lengths = hyper.lengths.copy()
    for index, item in enumerate(cube.space.dimensions):
        if not any(item.name in row for row in rows):
            lengths[cube.columns[index]] = NO_EFFECT
    return replace(hyper, lengths=lengths)
