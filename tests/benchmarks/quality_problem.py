"""What a problem is, and how one run of a method on it is scored.

Every score is a curve, one number per trial (or per unit of cost), of which less is better.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric, Metrics
from heliostat.space import Double, LinearConstraint, Space
from heliostat.space.space import Assignments

Values = Mapping[str, float]


@dataclass(frozen=True)
class Setting:
    """Which instance of a problem is asked.

    Args:
        seed: Of the cell; instances, noise and run times follow from it, whatever the method.
        task: Name of the task; None without tasks.
    """

    seed: int
    task: str | None = None


@dataclass(frozen=True)
class Problem:
    """An experiment whose outcome is a formula or a table.

    Args:
        name: Unique in the suite.
        suite: Its class, ``P1`` to ``P18``.
        spec: The declared experiment; its budget is that of the benchmark.
        function: Noise-free metric values at assignments; None where the run fails.
        score: Name of the curve in :mod:`quality_scores`.
        optimum: Best noise-free value of a single objective or the maximum hypervolume, also by seed.
        reference: Reference point of the hypervolume, in natural units, one number per objective.
        noise: Standard deviation of each noisy metric at assignments.
        is_noise_told: Whether reports carry that standard deviation.
        workers: How many runs are open at once, on a virtual clock.
        seconds: Typical run time at assignments, for the virtual clock.
        sources: Ended runs of other experiments for a seed: ``{experiment, assignments, values}``.
        prefill: Number of observations that are told before the first suggestion.
        truth: What the score needs beside: optima, tolerance, distances, points, a unit by seed.
        seeds: How many seeds a method with fewer than ten plays at most.
    """

    name: str
    suite: str
    spec: ExperimentSpec
    function: Callable[[Assignments, Setting], Values | None]
    score: str = "regret"
    optimum: float | Callable[[int], float] = 0.0
    reference: tuple[float, ...] = ()
    noise: Callable[[Assignments], Values] | None = None
    is_noise_told: bool = False
    workers: int = 1
    seconds: Callable[[Assignments], float] | None = None
    sources: Callable[[int], Sequence[Mapping[str, Any]]] | None = None
    prefill: int = 0
    truth: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 5

    @property
    def budget(self) -> int:
        """Number of trials, or their total cost with tasks."""
        return self.truth.get("cost_budget") or self.spec.budget or 0

    @property
    def names(self) -> list[str]:
        """Metric names in declared order."""
        return [metric.name for metric in self.spec.metrics.all]

    @property
    def needs(self) -> frozenset[str]:
        """What a method must be able to do to play."""
        more = {
            "transfer": self.sources is not None,
            "failures": self.suite == "P9",
            "parallel": self.workers > 1,
            "prefill": self.prefill > 0,
            "mixed_constraints": self._mixes_scales,
        }
        used = {name for name, is_used in more.items() if is_used}
        # Cheaper tasks, known sources and several solutions are offers: a method may ignore them and play.
        return frozenset((self.spec.needs | used) - {"tasks", "multisolution", "transfer"})

    @property
    def _mixes_scales(self) -> bool:
        """Whether a linear constraint holds over a grid or a logarithmic parameter."""
        items = {item.name: item for item in self.spec.space.dimensions}
        names = {name for constraint in self.spec.space.linear_constraints for name, _ in constraint.terms}
        return any(getattr(items[name], "log", False) or getattr(items[name], "grid", ()) for name in names)

    def best(self, seed: int) -> float:
        """The optimum of one seed's instance."""
        return self.optimum(seed) if callable(self.optimum) else self.optimum

    def observed(self, values: Values, assignments: Assignments, seed: int, number: int) -> dict[str, float]:
        """The values as they are reported: with noise, which depends on seed and trial number alone."""
        if self.noise is None:
            return dict(values)
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed, number])
        spread = self.noise(assignments)
        return {
            name: value + spread.get(name, 0.0) * float(rng.standard_normal())
            for name, value in values.items()
        }

    def cost(self, task: str | None) -> float:
        """Cost of one trial on a task."""
        return next((item.cost for item in self.spec.tasks if item.name == task), 1.0)

    @property
    def full_task(self) -> str | None:
        """The task that costs 1."""
        return next((item.name for item in self.spec.tasks if item.cost == 1), None)


def experiment(
    name: str, space: Space, metrics: Sequence[Metric], budget: int, **more: Any
) -> ExperimentSpec:
    """A declared experiment."""
    return ExperimentSpec(name, space, Metrics(tuple(metrics)), budget=budget, **more)


def box(bounds: Sequence[tuple[float, float]], *constraints: LinearConstraint) -> Space:
    """Doubles ``x0``, ``x1``, … in these bounds."""
    items = tuple(Double(f"x{place}", low, high) for place, (low, high) in enumerate(bounds))
    return Space(items, linear_constraints=constraints)


def point(values: Assignments) -> np.ndarray:
    """The coordinates ``x0``, ``x1``, … as an array."""
    return np.array([float(values[f"x{place}"]) for place in range(len(values))])


def of_point(function: Callable[[np.ndarray], float], name: str = "loss") -> Callable[..., dict[str, float]]:
    """A problem's function from one of arrays, for a single metric."""
    return lambda values, setting: {name: float(function(point(values)))}


def with_budget(problem: Problem, budget: int) -> Problem:
    """The same problem with another budget, for short tries."""
    return replace(problem, spec=replace(problem.spec, budget=budget))
