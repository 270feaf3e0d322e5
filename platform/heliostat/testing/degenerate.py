"""Rich, poor and extreme experiments that every figure and page must cope with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, maximize, minimize
from heliostat.space import Double, Space
from heliostat.testing.synthetic import in_state, single_spec, vision_runs, vision_spec
from heliostat.trial import Measurement, Run, State

Case = tuple[ExperimentSpec, list[Run]]


def wide(count: int) -> Case:
    """50 parameters, one objective."""
    space = Space(tuple(Double(f"p{place}", 0, 1) for place in range(50)))
    spec = ExperimentSpec(name="wide", space=space, metrics=Metrics((minimize("loss"),)))
    runs = [
        Run(
            number=number,
            state=State.COMPLETED,
            assignments={f"p{place}": (number * (place + 1) % 17) / 17 for place in range(50)},
            values={"loss": Measurement(number % 7)},
        )
        for number in range(1, count + 1)
    ]
    return spec, runs


def extreme(factor: float) -> Case:
    """Two objectives and a guardrail of values around `factor`."""
    spec = ExperimentSpec(
        name="extreme",
        space=Space((Double("x", 0, 1),)),
        metrics=Metrics((minimize("a"), maximize("b"), guardrail("c", at_most=5 * factor))),
        budget=50,
    )
    runs = []
    for number in range(1, 20):
        numbers = {"a": number * factor, "b": -number * factor, "c": (number % 9) * factor}
        values = {name: Measurement(value) for name, value in numbers.items()}
        runs.append(Run(number=number, state=State.COMPLETED, assignments={"x": number / 20}, values=values))
    return spec, runs


def _constant() -> Case:
    equal = {metric.name: Measurement(3.0) for metric in vision_spec().metrics.all}
    return vision_spec(), [replace(run, values=equal) for run in vision_runs(40)]


def _missing() -> Case:
    return vision_spec(), [replace(run, values={"accuracy": Measurement(0.5)}) for run in vision_runs(10)]


def _infeasible() -> Case:
    return vision_spec(), [run for run in vision_runs(90) if run.numbers.get("latency_ms", 0) > 20]


CASES: dict[str, Callable[[], Case]] = {
    "rich": lambda: (vision_spec(), vision_runs(60)),
    "single": lambda: (single_spec(), vision_runs(60)),
    "no guardrail": lambda: (single_spec(with_guardrail=False), vision_runs(60)),
    "0": lambda: (vision_spec(), []),
    "1": lambda: (vision_spec(), vision_runs(1)),
    "2": lambda: (vision_spec(), vision_runs(2)),
    "failed": lambda: (vision_spec(), in_state(vision_runs(20), State.FAILED)),
    "active": lambda: (vision_spec(), in_state(vision_runs(20), State.ACTIVE)),
    "infeasible": _infeasible,
    "a metric missing": _missing,
    "constant": _constant,
    "no curves": lambda: (vision_spec(), [replace(run, curve=()) for run in vision_runs(20)]),
    "50 parameters": lambda: wide(260),
    "tiny": lambda: extreme(1e-300),
    "huge": lambda: extreme(1e306),
}
"""What each experiment is poor in, and how to make it."""
