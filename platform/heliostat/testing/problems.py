"""Analytic problems with known optima to compare searchers on, and a zoo of small experiments.

Together the zoo uses every part of a space and every role of a metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import cos, exp, pi
from types import MappingProxyType

import numpy as np

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric, Metrics, guardrail, maximize, minimize, store
from heliostat.space import (
    Beta,
    Categorical,
    Conditional,
    Double,
    Int,
    LinearConstraint,
    Normal,
    Parameter,
    Space,
)
from heliostat.space.parameters import read_conditions
from heliostat.space.space import Assignments
from heliostat.trial import Failure, History, Measurement, Proposal, Run, State

Values = Mapping[str, float]


@dataclass(frozen=True)
class Problem:
    """An experiment whose outcome is a formula.

    Args:
        name: For people.
        spec: The declared experiment.
        function: Metric values at assignments; None where the run fails.
        optimum: Best feasible value of a single objective, or hypervolume of the front of several.
        reference: Reference point of the hypervolume, in natural units, one number per objective.
    """

    name: str
    spec: ExperimentSpec
    function: Callable[[Assignments], Values | None]
    optimum: float
    reference: tuple[float, ...] = ()

    def run(self, number: int, proposal: Proposal) -> Run:
        """The ended run of one proposal."""
        values = self.function(proposal.assignments)
        begun = Run(number=number, assignments=proposal.assignments, why=proposal.why)
        if values is None:
            failure = Failure("user_error", "outside the working region")
            return replace(begun, state=State.FAILED, failure=failure)
        measured = {name: Measurement(value) for name, value in values.items()}
        return replace(begun, state=State.COMPLETED, values=measured)

    def best(self, history: History) -> float:
        """Best feasible value of the single objective, or the feasible hypervolume; ±inf without any."""
        metrics = self.spec.metrics
        good = [run.numbers for run in history.completed if metrics.is_feasible(run.numbers)]
        if self.reference:
            signs = [metric.sign for metric in metrics.objectives]
            table = [
                [sign * values[metric.name] for sign, metric in zip(signs, metrics.objectives, strict=True)]
                for values in good
            ]
            corner = [sign * place for sign, place in zip(signs, self.reference, strict=True)]
            return area(np.array(table).reshape(len(table), len(signs)), corner)
        only = metrics.objectives[0]
        return only.sign * max((only.sign * values[only.name] for values in good), default=-np.inf)


def area(values: np.ndarray, corner: list[float]) -> float:
    """Area that points (``n x 2``, more is better) dominate above a corner."""
    total, floor = 0.0, corner[1]
    for first, second in sorted(values.tolist(), reverse=True):
        if first > corner[0] and second > floor:
            total += (first - corner[0]) * (second - floor)
            floor = second
    return total


def _branin(x: float, y: float) -> float:
    """Branin on [-5, 10] x [0, 15]; minimum 0.397887 (Dixon and Szegő 1978)."""
    bowl = y - 5.1 / (4 * pi**2) * x**2 + 5 / pi * x - 6
    return bowl**2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10


HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(values: Assignments) -> Values:
    """Hartmann in six dimensions; minimum -3.32237 (Dixon and Szegő 1978)."""
    point = np.array([float(values[f"x{index}"]) for index in range(6)])
    inner = np.sum(HARTMANN_A * (point - HARTMANN_P) ** 2, axis=1)
    return {"loss": -float(np.array([1.0, 1.2, 3.0, 3.2]) @ np.exp(-inner))}


def _mixed(values: Assignments) -> Values:
    """Two algorithms with own parameters; best is the net of width 24 at a rate of 10⁻²: loss 0."""
    if values["algorithm"] == "forest":
        return {"loss": 0.3 + abs(int(values["trees"]) - 60) / 100}
    rate = (np.log10(float(values["rate"])) + 2.0) ** 2
    width = ((int(values["width"]) - 24) / 16) ** 2
    return {"loss": float(0.2 * rate + 0.2 * width + (0.0 if values["activation"] == "gelu" else 0.15))}


def _currin(x: float, y: float) -> float:
    """Currin's exponential function on the unit square (Currin et al. 1991)."""
    factor = 1.0 if y <= 0 else 1.0 - exp(-1.0 / (2.0 * y))
    return factor * (2300 * x**3 + 1900 * x**2 + 2092 * x + 60) / (100 * x**3 + 500 * x**2 + 4 * x + 20)


def _branin_currin(values: Assignments) -> Values:
    x, y = float(values["x"]), float(values["y"])
    return {"branin": _branin(15 * x - 5, 15 * y), "currin": _currin(x, y), "cost": x + y}


def _failing(values: Assignments) -> Values | None:
    x, y = float(values["x"]), float(values["y"])
    return None if x + y > 1.1 else {"loss": (x - 0.7) ** 2 + (y - 0.7) ** 2}


def _when(**conditions: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return read_conditions(conditions, "zoo")


def _square(*names: str) -> Space:
    return Space(tuple(Double(name, 0, 1) for name in names))


def _spec(name: str, space: Space, *metrics: Metric) -> ExperimentSpec:
    return ExperimentSpec(name, space, Metrics(metrics), budget=60)


BRANIN = Problem(
    "Branin, shifted so that its centre is not special",
    _spec("branin", Space((Double("x", -5, 10), Double("y", 0, 15))), minimize("loss")),
    lambda values: {"loss": _branin(float(values["x"]), float(values["y"]))},
    0.397887,
)

HARTMANN6 = Problem(
    "Hartmann6",
    _spec("hartmann6", _square(*(f"x{index}" for index in range(6))), minimize("loss")),
    _hartmann,
    -3.32237,
)

MIXED = Problem(
    "a forest or a net",
    _spec(
        "mixed",
        Space(
            (
                Int("trees", 10, 200, conditions=_when(algorithm="forest")),
                Double("rate", 1e-5, 1.0, log=True, conditions=_when(algorithm="net")),
                Int("width", 1, 64, conditions=_when(algorithm="net")),
                Categorical(
                    "activation",
                    ("relu", "tanh", "gelu", "selu"),
                    conditions=_when(algorithm="net"),
                ),
                Double("unused", 0, 1),
            ),
            (Conditional("algorithm", ("forest", "net")),),
        ),
        minimize("loss"),
    ),
    _mixed,
    0.0,
)

BRANIN_CURRIN = Problem(
    "Branin and Currin with a limit on x + y",
    _spec(
        "branin_currin",
        _square("x", "y"),
        minimize("branin"),
        minimize("currin"),
        guardrail("cost", at_most=1.2),
    ),
    _branin_currin,
    optimum=0.0,
    reference=(18.0, 6.0),
)

FAILING = Problem(
    "a bowl whose best point lies on the edge of a failure region",
    _spec("failing", _square("x", "y"), minimize("loss")),
    _failing,
    0.045,
)

PROBLEMS = (BRANIN, HARTMANN6, MIXED, BRANIN_CURRIN, FAILING)
"""All problems."""


def _small(name: str, space: Space, *metrics: Metric) -> ExperimentSpec:
    return ExperimentSpec(name, space, Metrics(metrics or (minimize("loss"),)), budget=50, seed=3)


def _plain(*parameters: Parameter) -> Space:
    return Space(parameters)


_SQUARE = _plain(Double("x", -1, 3), Double("y", 0, 1))

_MIXED = _plain(
    Double("rate", 1e-6, 1.0, log=True, default_value=1e-3),
    Int("layers", 1, 5, default_value=2),
    Int("width", 8, 1024, log=True, default_value=64),
    Double("dropout", grid=(0.0, 0.1, 0.5), default_value=0.1),
    Int("batch", grid=(16, 32, 128), default_value=32),
    Categorical("activation", ("relu", "gelu", "tanh"), default_value="gelu"),
)

_NESTED = Space(
    (
        Double("rate", 1e-4, 1e-1, log=True, conditions=_when(model="net")),
        Double("momentum", 0, 1, conditions=_when(optimizer="sgd")),
        Int("trees", 10, 500, conditions=_when(model="forest")),
        Double("subsample", 0.1, 1),
    ),
    (
        Conditional("model", ("net", "forest")),
        Conditional("optimizer", ("sgd", "adam"), conditions=_when(model="net")),
    ),
)

_CONSTRAINED = Space(
    (Double("a", 0, 1), Double("b", 0, 2), Int("c", 0, 10), Categorical("mode", ("p", "q"))),
    linear_constraints=(
        LinearConstraint("less_than", 1.0, (("a", 1.0), ("b", 1.0))),
        LinearConstraint("greater_than", 2.0, (("c", 1.0), ("a", -2.0))),
    ),
)

ZOO: Mapping[str, ExperimentSpec] = MappingProxyType(
    {
        "one objective": _small("one", _SQUARE),
        "one dimension": _small("thin", _plain(Double("x", 0, 1))),
        "mixed": _small("mixed", _MIXED, maximize("score"), store("seconds")),
        "nested switches": _small("nested", _NESTED),
        "linear constraints": _small("constrained", _CONSTRAINED),
        "priors": _small(
            "priors",
            _plain(Double("x", 0, 1, prior=Normal(0.2, 0.1)), Double("y", -5, 5, prior=Beta(2, 8))),
        ),
        "guarded": _small("guarded", _SQUARE, maximize("score"), guardrail("cost", at_most=0.0)),
        "two objectives": _small(
            "two", _SQUARE, minimize("loss"), maximize("score", threshold=-0.5), guardrail("cost <= 1")
        ),
        "three objectives": _small("three", _SQUARE, minimize("loss"), maximize("score"), minimize("size")),
        "five objectives": _small(
            "five", _SQUARE, *(minimize(f"m{place}") for place in range(5)), guardrail("cost <= 1")
        ),
        "only a guardrail": _small("active", _SQUARE, guardrail("cost <= 0")),
    }
)
"""Experiments by what is special about them."""

SMALL = _small("small", _plain(Int("n", 1, 4), Categorical("kind", ("a", "b", "c"))))
"""Twelve points in all."""

TINY = _small("tiny", _plain(Int("n", 1, 2), Categorical("kind", ("a", "b"))))
"""Four points in all, for searchers that take seconds."""
