"""The Bayesian searcher earns its cost: better than random with the same budget, on fixed seeds."""

from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from heliostat.registry import make_searcher
from heliostat.testing.problems import BRANIN, BRANIN_CURRIN, FAILING, HARTMANN6, MIXED
from heliostat.trial import History, State

SEEDS = (0, 1, 2)
MANY = range(8)  # failures vary more from seed to seed than optima do


def played(problem, name, budget, seed):
    searcher = make_searcher(name)
    spec = replace(problem.spec, seed=seed)
    history = History()
    for number in range(budget):
        rng = np.random.default_rng([seed, number])
        (proposal,) = searcher.suggest(spec, history, 1, rng)
        history = History((*history.runs, problem.run(number + 1, proposal)))
    return history


def bests(problem, name, budget):
    return [problem.best(played(problem, name, budget, seed)) for seed in SEEDS]


@pytest.mark.parametrize(
    ("problem", "budget", "regret"),
    [(BRANIN, 25, 0.1), (HARTMANN6, 40, 0.6), (MIXED, 30, 0.02)],
    ids=["branin", "hartmann6", "mixed"],
)
def test_it_comes_closer_to_the_optimum_than_random(problem, budget, regret):
    found = median(bests(problem, "bayesian", budget)) - problem.optimum
    assert found < regret
    assert found < 0.5 * (median(bests(problem, "random", budget)) - problem.optimum)


def test_it_finds_a_larger_feasible_hypervolume_than_random():
    assert median(bests(BRANIN_CURRIN, "bayesian", 20)) > 2 * median(bests(BRANIN_CURRIN, "random", 20))


@pytest.mark.slow
def test_it_learns_where_runs_fail():
    ours, random = ([played(FAILING, name, 30, seed) for seed in MANY] for name in ("bayesian", "random"))
    failures = [sum(len(history.in_state(State.FAILED)) for history in group) for group in (ours, random)]
    assert failures[0] < failures[1]
    assert median(map(FAILING.best, ours)) < median(map(FAILING.best, random))
