"""What a search has won, run by run, and when it last won something that means something."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import Standing, hypervolume, new_places, standing
from heliostat.analysis.best import gains
from heliostat.analysis.domination import joined
from heliostat.analysis.progress import reference_point
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Measurement, Run, State

Array = NDArray[np.float64]

MEANINGFUL = 0.01
"""Gains below this share of all that was won are none: a search that has 99 % of what there is is done for
most uses, and ``--report`` of the benchmark says what it left."""

MEANINGFUL_VOLUME = 0.001
"""The same for hypervolume: a front is filled by many small gains, each of which counts, since there are as
many of them as there are runs. A tenth of the above, since some ten points of a front share what one best
point wins alone."""

NOISE_FACTOR = 2.0
"""A gain of two standard errors of the difference is luck once in forty."""

START = 5
"""What a search has won is counted from the median of so many first results: the first one alone is luck, and
the worst one says how bad the space can be and not where the search came from."""

FEWEST_REPEATS = 3
"""Degrees of freedom before repeated runs tell the noise: with three the estimated standard deviation is
within a factor of two in five cases of six."""

DESIGN = "initial design"
"""How searchers explain points that were planned before anything was known: they do not try to win."""


@dataclass(frozen=True)
class Record:
    """The gains of a search.

    Args:
        measure: What is won: the objective's name, ``hypervolume`` or ``coverage``.
        ended: Runs that ended and taught something, in the order of their ends.
        since: Those of them that ended after the last meaningful gain and are not of the initial design.
        last: The run that made it.
        best: The level it reached, more is better: gain, share of the box, or number of new places.
        unit: Smallest gain that means something, in the same unit.
        noise: Standard error of a gain at the last level; 0 where unknown.
    """

    measure: str
    ended: tuple[Run, ...]
    since: tuple[Run, ...]
    last: Run | None
    best: float
    unit: float
    noise: float = 0.0


def record(spec: ExperimentSpec, runs: Sequence[Run]) -> Record:
    """The record of an experiment's runs."""
    ended = tuple(run for run in sorted(runs, key=_by_end) if _teaches(spec, run))
    feasible = [run for run in ended if standing(spec, run) is Standing.FEASIBLE]
    count = len(spec.metrics.objectives)
    if not feasible:
        return Record("", ended, (), None, math.nan, 0.0)
    if count == 0:
        return _coverage(spec, ended, feasible)
    return _best(spec, ended, feasible) if count == 1 else _volume(spec, ended, feasible)


def _by_end(run: Run) -> tuple[float, int]:
    return run.ended or 0.0, run.number


def _teaches(spec: ExperimentSpec, run: Run) -> bool:
    """Lost and cancelled runs tried nothing, and a cheaper task cannot win anything."""
    is_over = run.state in (State.COMPLETED, State.FAILED, State.EARLY_STOPPED)
    return is_over and not run.archived and standing(spec, run) is not Standing.PROXY


def _climbed(
    measure: str, ended: tuple[Run, ...], feasible: Sequence[Run], levels: Array, unit: float, errors: Array
) -> Record:
    """Gains are counted from the last level that meant something, so that small ones add up."""
    last, level, error = feasible[0], levels[0], errors[0]
    for run, reached, own in zip(feasible[1:], levels[1:], errors[1:], strict=True):
        if reached - level > max(unit, NOISE_FACTOR * math.hypot(own, error)):
            last, level, error = run, reached, own
    first = 1 + next(place for place, run in enumerate(ended) if run is last)
    since = tuple(run for run in ended[first:] if not run.why.startswith(DESIGN))
    return Record(measure, ended, since, last, float(level), unit, float(error))


def _best(spec: ExperimentSpec, ended: tuple[Run, ...], feasible: Sequence[Run]) -> Record:
    metric = spec.metrics.objectives[0]
    values = gains(spec, feasible)[:, 0]
    errors = _errors(feasible, metric.name, values)
    unit = MEANINGFUL * float(values.max() - np.median(values[:START]))
    return _climbed(metric.name, ended, feasible, values, unit, errors)


def _errors(runs: Sequence[Run], name: str, values: Array) -> Array:
    """Standard errors: declared ones, else what repeated runs differ by, else 0."""
    groups: dict[str, list[float]] = defaultdict(list)
    for run, value in zip(runs, values, strict=True):
        groups[repr(sorted(run.assignments.items()))].append(float(value))
    repeats = sum(len(group) - 1 for group in groups.values())
    spread = 0.0
    if repeats >= FEWEST_REPEATS:
        spread = math.sqrt(sum(len(group) * float(np.var(group)) for group in groups.values()) / repeats)
    declared = [run.values[name].stddev for run in runs]
    return np.array([spread if error is None else error for error in declared])


def _volume(spec: ExperimentSpec, ended: tuple[Run, ...], feasible: Sequence[Run]) -> Record:
    """Hypervolume after each feasible run, as a share of the box that all of them span."""
    careful = [_pessimistic(spec, run) for run in feasible]
    points, _ = boxed(spec, careful)
    front, volumes = np.empty((0, points.shape[1])), [0.0]
    for point in points:
        grown = joined(front, point)
        if grown is None:
            volumes.append(volumes[-1])
            continue
        front = grown
        volumes.append(hypervolume(front, np.zeros(len(point))))
    levels = np.array(volumes[1:])
    unit = MEANINGFUL_VOLUME * float(levels[-1])
    return _climbed("hypervolume", ended, feasible, levels, unit, np.zeros(len(levels)))


def boxed(spec: ExperimentSpec, feasible: Sequence[Run]) -> tuple[Array, tuple[Array, Array]]:
    """Gains of feasible runs in the box from the reference point (0) to the best of each objective (1).

    Returns:
        The points, ``n x m``, and the box's corner and edges in gains.
    """
    values = gains(spec, feasible)
    corner = reference_point(spec, values)
    edges = values.max(axis=0) - corner
    edges = np.where(edges > 0, edges, 1.0)
    return (values - corner) / edges, (corner, edges)


def _pessimistic(spec: ExperimentSpec, run: Run) -> Run:
    """The run with each objective a standard error worse: a front of lucky points is none."""
    careful = dict(run.values)
    for metric in spec.metrics.objectives:
        measured = run.values[metric.name]
        if measured.stddev:
            careful[metric.name] = Measurement(measured.value - metric.sign * measured.stddev)
    return replace(run, values=careful)


def _coverage(spec: ExperimentSpec, ended: tuple[Run, ...], feasible: Sequence[Run]) -> Record:
    """Places found so far that are far from all satisfactory ones before them."""
    units = np.array([spec.space.encode(run.assignments) for run in feasible])
    is_new = np.isin(np.arange(len(units)), new_places(units))
    levels = np.cumsum(is_new, dtype=float)
    return _climbed("coverage", ended, feasible, levels, 0.0, np.zeros(len(levels)))
