"""Which terms a proposal is chosen by, as results call for them."""

from dataclasses import replace

import numpy as np
import pytest

from heliostat.experiment import ExperimentSpec, Task
from heliostat.metrics import Metrics, minimize
from heliostat.space import Double, Space
from heliostat.trial import History, Measurement, Run, State
from heliostat_searchers.bayesian.acquisition import LogAnswer
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.goal import goal
from heliostat_searchers.bayesian.models import fitted
from heliostat_searchers.bayesian.rows import read_rows

SPEC = ExperimentSpec(
    "noisy bowl", Space((Double("x", 0, 1), Double("y", 0, 1))), Metrics((minimize("loss"),)), budget=60
)
LOUD = 0.05
"""A third of the standard deviation of the bowl's values."""


def results(count, *, stddev, task=None):
    """Completed runs of a bowl at random places."""
    draws = np.random.default_rng(7)
    places = draws.random((count, 2))
    values = np.sum((places - 0.3) ** 2, axis=1) + (stddev or 0.0) * draws.standard_normal(count)
    return [
        Run(
            assignments={"x": float(x), "y": float(y)},
            task=task,
            state=State.COMPLETED,
            values={"loss": Measurement(float(value), stddev)},
        )
        for (x, y), value in zip(places, values, strict=True)
    ]


def without_results(count, state):
    draws = np.random.default_rng(8)
    return [
        Run(assignments=dict(zip("xy", map(float, place), strict=True)), state=state)
        for place in draws.random((count, 2))
    ]


def models(runs, spec=SPEC):
    return fitted(spec, Cube(spec.space, has_tasks=bool(spec.tasks)), read_rows(spec, History(tuple(runs))))


def terms(runs):
    found = goal(models(runs), Cube(SPEC.space), SPEC, 0, np.random.default_rng(0))
    return [type(term) for term in found.acquisition.terms]


@pytest.mark.parametrize("state", [State.ACTIVE, State.FAILED])
def test_told_noise_is_that_of_results_however_many_runs_have_none_yet(state):
    told = results(20, stddev=LOUD)
    alone = models(told).noise
    assert 0.03 < alone < 0.3
    assert models([*told, *without_results(40, state)]).noise == pytest.approx(alone)
    assert LogAnswer in terms([*told, *without_results(40, state)])


def test_exact_results_are_compared_as_they_are():
    assert LogAnswer not in terms(results(20, stddev=None))
    assert LogAnswer not in terms(results(20, stddev=0.0))


def test_the_noise_of_a_proxy_is_not_that_of_a_full_run():
    spec = replace(SPEC, tasks=(Task("draft", 0.1), Task("full", 1.0)))
    runs = [*results(20, stddev=LOUD, task="draft"), *results(8, stddev=0.0, task="full")]
    assert models(runs, spec).noise < 1e-3
