"""Where the model is cut for slices and contours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from heliostat.analysis import leaders
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.space import Categorical, Parameter, Value
from heliostat.trial import Run


@dataclass(frozen=True)
class Base:
    """A point through which the model is cut.

    Args:
        values: Its assignments.
        name: For people: ``run 12``.
    """

    values: dict[str, Value]
    name: str


def base_point(spec: ExperimentSpec, runs: Sequence[Run]) -> Base:
    """The best run, of a front the best in the first objective; the middle of the space without one."""
    first = spec.metrics.steering[0]
    for run in sorted(leaders(spec, runs), key=lambda run: -first.sign * run.numbers[first.name]):
        own = {name: value for name, value in run.assignments.items() if name in spec.space.index}
        try:
            return Base(spec.space.check(own, in_bounds=False), f"run {run.number}")
        except InvalidValue:  # a run from before the space was changed
            continue
    return Base(spec.space.decode_freely(np.full(spec.space.d, 0.5)), "the middle of the space")


def along(item: Parameter, count: int) -> list[Value]:
    """Values of a parameter from one end to the other: all categories, up to `count` numbers."""
    if isinstance(item, Categorical):
        return list(item.values)
    units = np.linspace(0.0, 1.0, count)
    return list(dict.fromkeys(item.from_unit(min(float(unit), 1 - 1e-12)) for unit in units))
