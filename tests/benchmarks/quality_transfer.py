"""Problems with other knowledge: cheaper tasks (P10) and the runs of other experiments (P11).

LCBench's pool is from `bocode` 1.0.1 (MIT); ``peers/tables_export.py`` makes it anew.

.. [Wistuba2015] M. Wistuba, N. Schilling, L. Schmidt-Thieme. Sequential model-free hyperparameter tuning.
   ICDM 2015: leave one data set out, the others are the past.
.. [Zimmer2021] L. Zimmer, M. Lindauer, F. Hutter. Auto-PyTorch: multi-fidelity metalearning for efficient and
   robust AutoDL. IEEE TPAMI 43(9), 2021: LCBench, 2,000 networks on each of 35 data sets.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from quality_formulas import (
    BRANIN_BEST,
    HARTMANN_BEST,
    HARTMANN_P,
    HARTMANN_WEIGHTS,
    branin,
    hartmann,
)
from quality_pools import FOLDER
from quality_problem import Problem, experiment, point
from quality_single import BRANIN_BOX, CUBE6, LOSS

from heliostat.experiment import Task
from heliostat.metrics import maximize
from heliostat.space import Double, Int, Space

SOURCES, SOURCE_ROWS = 10, 30
PAST = tuple(range(1, SOURCES + 1))
NETWORK = Space(
    (
        Int("batch_size", 16, 512, log=True),
        Double("rate", 1e-4, 0.1, log=True),
        Double("dropout", 0.0, 1.0),
        Int("units", 64, 1024, log=True),
        Double("momentum", 0.1, 0.99),
        Int("layers", 1, 4),
        Double("decay", 1e-5, 0.1),
    )
)
"""LCBench's space, in the order of the pool's columns."""

COSTS = (Task("tenth", 0.1), Task("third", 0.3), Task("full", 1.0))
FIDELITY = {"tenth": 0.1, "third": 0.4, "full": 1.0, None: 1.0}


def tasks():
    """P10: budgets are total costs; a method that knows no tasks runs the full one 25 times."""

    def bent(values, setting):
        """Hartmann6 whose weights all bend with fidelity; in the augmented function only one does."""
        gone = 1 - FIDELITY[setting.task]
        return {"loss": hartmann(point(values), HARTMANN_WEIGHTS - gone * np.array([0.1, 0.3, 0.5, -0.2]))}

    spec = experiment("hartmann6 with tasks", CUBE6, LOSS, 25, tasks=COSTS)
    yield Problem("hartmann6_tasks", "P10", spec, bent, "cost", HARTMANN_BEST, truth={"cost_budget": 25})

    def wavy(values, setting):
        x = point(values)
        gone = 1 - FIDELITY[setting.task]
        return {"loss": branin(x) + gone * 10 * float(np.sin(1.3 * x[0]) + np.cos(0.9 * x[1]))}

    spec = experiment("branin with tasks", BRANIN_BOX, LOSS, 25, tasks=COSTS)
    yield Problem("branin_tasks", "P10", spec, wavy, "cost", BRANIN_BEST, truth={"cost_budget": 25})


def transfers():
    """P11: a family of Hartmann6 with other weights, places, scales and offsets; and a reversed source."""
    spec = experiment("hartmann6 with a past", CUBE6, LOSS, 25, transfer=PAST)
    yield Problem("transfer_family", "P11", spec, _member, optimum=_member_best, sources=_family)
    spec = experiment("hartmann6 misled", CUBE6, LOSS, 25, transfer=(1,))
    yield Problem("transfer_reversed", "P11", spec, _member, optimum=_member_best, sources=_reversed)

    spec = experiment("a network with a past", NETWORK, [maximize("accuracy")], 25, transfer=PAST)
    yield Problem(
        "transfer_lcbench",
        "P11",
        spec,
        lambda values, setting: {"accuracy": float(accuracies(setting.seed)[nearest(values)])},
        optimum=lambda seed: float(accuracies(seed).max()),
        sources=_other_sets,
        truth={"scale": lambda seed: float(np.ptp(np.quantile(accuracies(seed), [0.5, 1.0])))},
    )


@cache
def pool():
    """LCBench: places of its configurations in the unit cube, values, and accuracies by data set."""
    stored = np.load(FOLDER / "lcbench.npz")
    rows = stored["configurations"].astype(float)
    values = [
        {
            item.name: item.check(typed(item, row[place]), item.name)
            for place, item in enumerate(NETWORK.parameters)
        }
        for row in rows
    ]
    return np.array([NETWORK.encode(row) for row in values]), values, stored["accuracies"].astype(float)


def typed(item, value):
    low, high = item.bounds
    return min(max(round(value) if isinstance(item, Int) else float(value), low), high)


def accuracies(seed):
    """Of the data set that is the target of a seed."""
    table = pool()[2]
    return table[seed % len(table)]


def nearest(values):
    """The configuration of the pool that lies nearest in the unit cube."""
    return int(np.argmin(np.linalg.norm(pool()[0] - NETWORK.encode(values), axis=1)))


def _other_sets(seed):
    """Thirty random configurations on each of ten other data sets, with their own accuracies."""
    _, values, table = pool()
    rng, rows = np.random.default_rng([seed, 11]), []
    others = [place for place in range(len(table)) if place != seed % len(table)]
    for number, place in enumerate(rng.permutation(others)[:SOURCES], 1):
        for row in rng.permutation(len(values))[:SOURCE_ROWS]:
            found = {"accuracy": float(table[place, row])}
            rows.append({"experiment": number, "assignments": values[row], "values": found})
    return rows


class Member:
    """One function of the family; number 0 of a seed is the target, the others are its past."""

    def __init__(self, seed, number):
        rng = np.random.default_rng([seed, number, 11])
        self.weights = HARTMANN_WEIGHTS * rng.uniform(0.7, 1.3, 4)
        self.places = HARTMANN_P + rng.normal(0, 0.04, HARTMANN_P.shape)
        self.scale, self.offset = float(10 ** rng.uniform(-1, 2)), float(rng.normal(0, 10))
        if number == 0:
            self.scale, self.offset = 1.0, 0.0

    def __call__(self, x):
        return self.offset + self.scale * hartmann(x, self.weights, self.places)


def _member(values, setting):
    return {"loss": Member(setting.seed, 0)(point(values))}


@cache
def _member_best(seed):
    """The minimum, by L-BFGS from each of the four places and from random ones."""
    from scipy.optimize import minimize as descend

    member = Member(seed, 0)
    starts = [*np.clip(member.places, 0, 1), *np.random.default_rng(seed).random((20, 6))]
    found = [
        descend(member, start, bounds=[(0, 1)] * 6, method="L-BFGS-B", tol=1e-12).fun for start in starts
    ]
    return float(min(found))


def _rows(experiment_id, member, rng, count):
    for x in rng.random((count, 6)):
        values = {f"x{place}": float(item) for place, item in enumerate(x)}
        yield {"experiment": experiment_id, "assignments": values, "values": {"loss": float(member(x))}}


def _family(seed):
    """Ten members, thirty random rows each."""
    rows = []
    for number in range(1, SOURCES + 1):
        rng = np.random.default_rng([seed, number, 30])
        rows += _rows(number, Member(seed, number), rng, SOURCE_ROWS)
    return rows


def _reversed(seed):
    """The target itself, with its sign turned: its best row is the worst place to look."""
    target = Member(seed, 0)
    return list(_rows(1, lambda x: -target(x), np.random.default_rng([seed, 30]), 3 * SOURCE_ROWS))
