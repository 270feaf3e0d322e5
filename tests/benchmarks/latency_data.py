"""The histories that suggestions are timed on: places as a search leaves them, values of smooth formulas."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.stats import qmc

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, minimize
from heliostat.space import Double, Space
from heliostat.trial import History, Measurement, Run, State

SPREAD = 0.08
"""Standard deviation of the third of the runs that lie around the best place, in the unit cube."""


@cache
def spec(d, m=1):
    """`d` doubles in [0, 1], `m` objectives."""
    space = Space(tuple(Double(f"x{place}", 0, 1) for place in range(d)))
    metrics = Metrics(tuple(minimize(f"m{place}") for place in range(m)))
    return ExperimentSpec(f"{d}x{m}", space, metrics, budget=10_000)


@cache
def table(n, d, m, seed):
    """Places ``n x d``, two thirds spread evenly and one third near the optimum, and values ``n x m``."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.2, 0.8, size=(m, d))
    even = qmc.Sobol(d, seed=rng).random_base2(int(np.ceil(np.log2(max(2, n)))))[:n]
    near = np.clip(centres[0] + SPREAD * rng.standard_normal((n, d)), 0, 1)
    places = np.where((np.arange(n) % 3 == 2)[:, None], near, even)
    weights = 1 / np.sqrt(1 + np.arange(d))
    bowls = ((places[:, None, :] - centres) ** 2) @ weights
    return places, bowls + 0.1 * (np.sin(7 * places) @ weights)[:, None]


def history(n, d, m=1, *, seed=0, pending=0):
    """`n` completed runs, then `pending` open ones."""
    places, values = table(n, d, m, seed)
    runs = [run(number + 1, *pair) for number, pair in enumerate(zip(places, values, strict=True))]
    waiting = np.random.default_rng(seed + 1).random((pending, d))
    runs += [
        Run(id=n + number, number=n + number, assignments=assignments(place), state=State.ACTIVE)
        for number, place in enumerate(waiting, start=1)
    ]
    return History(tuple(runs))


def run(number, place, values):
    """One completed run."""
    measured = {f"m{index}": Measurement(float(value)) for index, value in enumerate(values)}
    return Run(
        id=number, number=number, assignments=assignments(place), state=State.COMPLETED, values=measured
    )


def assignments(place):
    """Values by name."""
    return {f"x{index}": float(value) for index, value in enumerate(place)}
