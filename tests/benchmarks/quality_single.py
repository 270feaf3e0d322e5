"""Problems with one objective: smooth, hard, noisy, failing, large, constrained in their parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from quality_formulas import (
    BRANIN_BEST,
    BRANIN_OPTIMA,
    HARTMANN_BEST,
    HIMMELBLAU_OPTIMA,
    ackley,
    branin,
    hartmann,
    himmelblau,
    levy,
    shubert,
)
from quality_landscapes import BOX, landscape
from quality_problem import Problem, box, experiment, of_point, point

from heliostat.metrics import minimize
from heliostat.space import Double, Int, LinearConstraint, Space

LOSS = (minimize("loss"),)
CUBE6 = box([(0.0, 1.0)] * 6)
BRANIN_BOX = box([(-4.2, 10.9), (0.0, 14.3)])
"""Branin's box moved so that no optimum, and no mean of two, is at its centre."""

LEVY_SHIFT = np.array([-3.1, 4.4, 2.2, -5.6, 0.7, -1.9, 5.1, -4.2, 3.3, -2.6])
ACKLEY_SHIFT = np.random.default_rng(20).uniform(-10, 25, 20)
INSTANCES = 3
"""Instances of each landscape; a seed plays one."""


def smooth():
    """P1."""
    yield Problem(
        "branin", "P1", experiment("branin", BRANIN_BOX, LOSS, 50), of_point(branin), optimum=BRANIN_BEST
    )
    yield Problem(
        "hartmann6", "P1", experiment("hartmann6", CUBE6, LOSS, 50), of_point(hartmann), optimum=HARTMANN_BEST
    )
    space = box([(-10.0, 10.0)] * 10)
    yield Problem(
        "levy10", "P1", experiment("levy10", space, LOSS, 50), of_point(lambda x: levy(x - LEVY_SHIFT))
    )


def hard():
    """P2: landscapes; the instance follows the seed."""
    for name, d in (("f8", 5), ("f15", 5), ("f20", 5), ("f21", 5), ("f23", 5), ("f8", 10), ("f21", 10)):

        def function(values, setting, name=name, d=d):
            return {"loss": landscape(name, d, 1 + setting.seed % INSTANCES)(point(values))}

        spec = experiment(f"{name} in {d}-d", box([(-BOX, BOX)] * d), LOSS, 60)
        yield Problem(f"{name}_d{d}", "P2", spec, function)


def noisy():
    """P5: the noise of Hartmann6 is a tenth of its range; that of Branin grows from 1 to 16 with x0."""
    same = {"loss": 0.3}
    base = Problem(
        "hartmann6_noise",
        "P5",
        experiment("noisy hartmann6", CUBE6, LOSS, 60),
        of_point(hartmann),
        optimum=HARTMANN_BEST,
        noise=lambda values: same,
    )
    yield base
    yield replace(base, name="hartmann6_noise_told", is_noise_told=True)
    yield Problem(
        "branin_noise",
        "P5",
        experiment("noisy branin", BRANIN_BOX, LOSS, 60),
        of_point(branin),
        optimum=BRANIN_BEST,
        noise=lambda values: {"loss": float(2.0 ** ((float(values["x0"]) + 4.2) / 15.1 * 4))},
        is_noise_told=True,
    )


def failing():
    """P9: 35 to 37 % of the space fails, up to 0.3 (Branin) and 0.05 (Hartmann6) from an optimum."""

    def branin_or_none(values, setting):
        x = point(values)
        fails = x[0] < -0.5 or np.hypot(x[0] - 5.6, x[1] - 1.6) < 2.25
        return None if fails else {"loss": branin(x)}

    def hartmann_or_none(values, setting):
        x = point(values)
        fails = x[2] + x[5] > 1.24 or np.hypot(x[0] - 0.45, x[1] - 0.15) < 0.2
        return None if fails else {"loss": hartmann(x)}

    spec = experiment("failing branin", BRANIN_BOX, LOSS, 50)
    yield Problem("branin_fail", "P9", spec, branin_or_none, optimum=BRANIN_BEST)
    spec = experiment("failing hartmann6", CUBE6, LOSS, 50)
    yield Problem("hartmann6_fail", "P9", spec, hartmann_or_none, optimum=HARTMANN_BEST)


def solutions():
    """P12: several optima; one counts as found by a value within 1 % of the range and `near` it."""

    def made(name, function, bounds, k, optima, best, tolerance):
        spec = experiment(name, box(bounds), LOSS, 60, num_solutions=k)
        units = (optima - np.array([low for low, _ in bounds])) / np.array(
            [high - low for low, high in bounds]
        )
        truth = {"optima": units, "tolerance": tolerance, "near": 0.1}
        return Problem(name, "P12", spec, of_point(function), "solutions", best, truth=truth)

    yield made("branin_3", branin, [(-5, 10.6), (0, 15)], 3, BRANIN_OPTIMA, BRANIN_BEST, 3.0)
    yield made("himmelblau_4", himmelblau, [(-5.2, 5), (-5, 5.4)], 4, HIMMELBLAU_OPTIMA, 0.0, 9.0)
    yield made("shubert_8", shubert, [(-10, 10)] * 2, 8, shubert_optima(), -186.73090883102392, 4.0)


def shubert_optima():
    """The 18 places: one coordinate of the first kind, the other of the second, each 2π apart."""
    first = np.array([-7.083506, -0.800321, 5.482864])
    second = np.array([-7.708314, -1.425128, 4.858057])
    one = np.array([[a, b] for a in first for b in second])
    return np.vstack([one, one[:, ::-1]])


def large():
    """P16."""
    active = (3, 7, 11, 18, 22, 29)
    spec = experiment("hartmann6 in 30-d", box([(0.0, 1.0)] * 30), LOSS, 75)
    yield Problem(
        "hartmann6_d30",
        "P16",
        spec,
        of_point(lambda x: hartmann(x[list(active)])),
        optimum=HARTMANN_BEST,
    )
    spec = experiment("ackley in 20-d", box([(-15.0, 30.0)] * 20), LOSS, 75)
    yield Problem("ackley20", "P16", spec, of_point(lambda x: ackley(x - ACKLEY_SHIFT)))


def bounded():
    """P17: linear constraints, grids, logarithms and integers over Branin."""
    half = LinearConstraint("less_than", 10.0, (("x0", 1.0), ("x1", 1.0)))
    space = Space(BRANIN_BOX.parameters, linear_constraints=(half,))
    spec = experiment("branin under a line", space, LOSS, 40)
    yield Problem("branin_linear", "P17", spec, of_point(branin), optimum=BRANIN_BEST)

    grid = tuple(float(item) for item in np.round(np.linspace(-5, 10, 61), 6))

    def twins(values, setting):
        return {"loss": branin([values["x"], 15 * np.log(values["n"]) / np.log(4096)])}

    space = Space((Double("x", grid=grid), Int("n", 1, 4096, log=True)))
    best = min(branin([x, 15 * np.log(n) / np.log(4096)]) for x in grid for n in range(1, 4097))
    yield Problem("branin_twins", "P17", experiment("branin's twins", space, LOSS, 40), twins, optimum=best)

    line = LinearConstraint("less_than", 900.0, (("x", 100.0), ("n", 1.0)))
    space = Space(space.parameters, linear_constraints=(line,))
    best = min(
        branin([x, 15 * np.log(n) / np.log(4096)]) for x in grid for n in range(1, 4097) if 100 * x + n <= 900
    )
    spec = experiment("branin's twins under a line", space, LOSS, 40)
    yield Problem("branin_twins_linear", "P17", spec, twins, optimum=best)


def parallel():
    """P14: run times are log-normal (σ = 1) around minutes that grow with x0; 5 % of the runs are lost."""
    for workers in (4, 8):
        spec = experiment(f"hartmann6 on {workers} workers", CUBE6, LOSS, 60, parallel_bandwidth=workers)
        yield Problem(
            f"hartmann6_w{workers}",
            "P14",
            spec,
            of_point(hartmann),
            optimum=HARTMANN_BEST,
            workers=workers,
            seconds=lambda values: 60.0 * (0.5 + float(values["x0"])),
        )


def sequential_twin():
    """The yardstick of P14: the same budget with one worker."""
    spec = experiment("hartmann6 on 1 worker", CUBE6, LOSS, 60)
    yield Problem("hartmann6_w1", "P14", spec, of_point(hartmann), optimum=HARTMANN_BEST)
