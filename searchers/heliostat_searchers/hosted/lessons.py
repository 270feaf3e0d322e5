"""What a hosted library is told of each run: assignments that it accepts and numbers that it can sort."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric
from heliostat.space import Categorical, Parameter, Space, Value
from heliostat.trial import History, Run, State

ABSURD = 1e100
"""Values beyond ± this overflow when squared, as hypervolumes do; they stand for "no number", as NaN does."""


@dataclass(frozen=True)
class Lesson:
    """One run in the terms that all hosted libraries share.

    Args:
        assignments: Legal but for linear constraints; values outside the bounds are at the nearest edge.
        state: ``COMPLETED``, ``EARLY_STOPPED``, ``FAILED`` or ``ACTIVE``.
        values: Usable numbers of steering metrics; all of them where the run completed.
        curve: Step → the first objective's value, of a run that was stopped early.
    """

    assignments: Mapping[str, Value]
    state: State
    values: Mapping[str, float]
    curve: Mapping[int, float]


def lessons(spec: ExperimentSpec, history: History) -> list[Lesson]:
    """The runs that teach something, by number.

    Lost and cancelled runs teach nothing; runs whose assignments are of another space (a category since
    removed) cannot be told. A completed run without a usable number in every steering metric has failed.
    """
    return list(_lessons(spec, history))


def _lessons(spec: ExperimentSpec, history: History) -> Iterator[Lesson]:
    for run in history.runs:
        assignments = _placed(spec.space, run.assignments)
        if assignments is None or not run.state.uses_budget:
            continue
        values = _usable(run.numbers, spec.metrics.steering)
        state = run.state
        if state is State.COMPLETED and len(values) < len(spec.metrics.steering):
            state = State.FAILED
        curve = _curve(run, spec, values) if state is State.EARLY_STOPPED else {}
        yield Lesson(assignments, state, values, curve)


def _usable(values: Mapping[str, float], metrics: tuple[Metric, ...]) -> dict[str, float]:
    names = (metric.name for metric in metrics)
    return {name: values[name] for name in names if _is_usable(values.get(name, math.nan))}


def _is_usable(value: float) -> bool:
    return abs(value) <= ABSURD


def _curve(run: Run, spec: ExperimentSpec, values: Mapping[str, float]) -> dict[int, float]:
    """The usable part of the curve; without any, what the run had shown when it was stopped, at step 0."""
    first = spec.metrics.objectives[0].name
    points = {point.step: point.values.get(first, math.nan) for point in run.curve}
    usable = {step: value for step, value in points.items() if _is_usable(value)}
    return usable or ({0: values[first]} if first in values else {})


def _placed(space: Space, given: Mapping[str, Any]) -> dict[str, Value] | None:
    values: dict[str, Value] = {}
    for item in space.dimensions:
        if space.is_alive(item, values):
            try:
                values[item.name] = inside(item, given[item.name])
            except (KeyError, TypeError, ValueError):
                return None
    return values


def inside(item: Parameter, value: Any) -> Value:
    """The value in the parameter's type, at the nearest edge or grid point if it lies elsewhere.

    Raises:
        TypeError: It is no number.
        ValueError: It is not one of the categories.
    """
    if isinstance(item, Categorical):
        return item.check(value, item.name)
    if item.grid is not None:
        return min(item.grid, key=lambda place: abs(place - value))
    low, high = item.bounds
    return item.check(min(max(value, low), high), item.name)
