"""What a place is worth by itself: slopes by finite differences, priors where they hold, legal gaps."""

from dataclasses import replace

import numpy as np
import pytest

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.space import Beta, Conditional, Double, LinearConstraint, Normal, Space
from heliostat.trial import History, Measurement, Run, State
from heliostat_searchers.bayesian.acquisition import LogProbability
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.goal import goal
from heliostat_searchers.bayesian.models import fitted
from heliostat_searchers.bayesian.places import Apart, LogCoverage, log_prior
from heliostat_searchers.bayesian.rows import read_rows

PRIORS = Space(
    (
        Double("x", 0, 1, prior=Normal(mean=0.7, scale=0.1)),
        Double("y", -1, 3, prior=Beta(shape_a=2, shape_b=5)),
    )
)
DRAWS = np.random.default_rng(3)
BALL = 0.2 * DRAWS.standard_normal((48, 2))
STEP = 1e-6


@pytest.mark.parametrize(
    "place",
    [
        Apart(DRAWS.random((5, 2)), 0.3),
        LogCoverage(DRAWS.random((9, 2)), BALL, 0.25),
        log_prior(Cube(PRIORS), 12),
    ],
    ids=["apart", "coverage", "prior"],
)
def test_slopes_are_those_of_finite_differences(place):
    points = 0.3 + 0.4 * np.random.default_rng(4).random((6, 2))
    _, slopes = place(points)
    for column in range(2):
        moved = STEP * (np.arange(2) == column)
        numeric = (place(points + moved)[0] - place(points - moved)[0]) / (2 * STEP)
        assert slopes[:, column] == pytest.approx(numeric, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("z", [-1e10, -1e8, -2e4, -9e3, -40.0, 0.0, 5.0])
def test_a_limit_that_is_far_off_still_has_a_slope(z):
    term = LogProbability(0.0, 0)
    _, by_mean, by_stddev = term(np.array([[z]]), np.array([[1.0]]))
    step = 1e-4 * max(1.0, abs(z))
    numeric = (
        term(np.array([[z + step]]), np.ones((1, 1)))[0] - term(np.array([[z - step]]), np.ones((1, 1)))[0]
    ) / (2 * step)
    assert by_mean[0, 0] == pytest.approx(numeric[0], rel=1e-3, abs=1e-5)
    assert by_stddev[0, 0] == pytest.approx(-z * by_mean[0, 0])


def test_a_prior_on_a_choice_favours_neither_that_choice_nor_the_others():
    space = Space(
        (Double("rate", 0, 1), Double("momentum", 0, 1, prior=Normal(0.9, 0.05), conditions={"kind": "sgd"})),
        conditionals=(Conditional("kind", ("sgd", "adam")),),
    )
    cube = Cube(space)
    prior = log_prior(cube, 4)
    adam = cube.features(cube.encoded([{"kind": "adam", "rate": 0.3}]))
    sgd = cube.features(
        cube.encoded([{"kind": "sgd", "rate": 0.3, "momentum": momentum} for momentum in (0.9, 0.85, 0.5)])
    )
    (other,), slope = prior(adam)
    best, near, far = prior(sgd)[0]
    assert not slope.any()
    assert best > other > far
    assert other == pytest.approx(near, rel=0.3)  # one standard deviation off is what the prior expects


@pytest.mark.parametrize("scale", [0.1, 1e-4])
def test_what_a_prior_expects_does_not_depend_on_how_narrow_it_is(scale):
    space = Space(
        (Double("x", 0, 1, prior=Normal(0.5011, scale), conditions={"kind": "a"}), Double("y", 0, 1)),
        conditionals=(Conditional("kind", ("a", "b")),),
    )
    cube = Cube(space)
    prior = log_prior(cube, 4)
    value, _ = prior(cube.features(cube.encoded([{"kind": "b", "y": 0.3}])))
    entropy = 0.5 * np.log(2 * np.pi * np.e * scale**2)
    assert value[0] == pytest.approx(-entropy * prior.weight, rel=0.05)


def test_a_belief_that_is_far_off_costs_no_more_than_its_doubt():
    space = Space((Double("x", 0, 1, prior=Normal(0.9, 0.001)),))
    prior = log_prior(Cube(space), 1)
    (peak, flank, far), slope = prior(np.array([[0.9], [0.899], [0.2]]))
    assert peak > flank > far
    assert far == pytest.approx(prior.weight * np.log(0.05))
    assert slope[2, 0] == pytest.approx(0.0)


def test_a_prior_fades_while_no_run_is_feasible():
    metrics = Metrics((minimize("loss"), guardrail("cost", at_most=0)))
    spec = ExperimentSpec("wrong", PRIORS, metrics, budget=40)

    def weight(count):
        draws = np.random.default_rng(0).random((count, 2))
        runs = tuple(
            Run(
                assignments={"x": float(x), "y": float(y)},
                state=State.COMPLETED,
                values={"loss": Measurement(float(x)), "cost": Measurement(1.0 + float(y))},
            )
            for x, y in draws
        )
        models = fitted(spec, Cube(spec.space), read_rows(spec, History(runs)))
        found = goal(models, Cube(spec.space), spec, 0, np.random.default_rng(0))
        assert found.aim == "feasibility"
        return found.acquisition.places[0].weight

    assert weight(20) < weight(5) / 4


def test_balls_shrink_to_the_gaps_in_what_the_constraints_leave():
    plain = Space((Double("x", 0, 1), Double("y", 0, 1)))
    space = replace(plain, linear_constraints=(LinearConstraint("less_than", 0.5, (("x", 1), ("y", 1))),))
    spec = ExperimentSpec("corner", space, Metrics((guardrail("cost", at_most=2),)), budget=200)
    draws = np.random.default_rng(0).random((400, 2))
    runs = tuple(
        Run(
            assignments={"x": float(x), "y": float(y)},
            state=State.COMPLETED,
            values={"cost": Measurement(float(x * y))},
        )
        for x, y in draws[draws.sum(axis=1) < 0.5]
    )
    cube = Cube(space)
    models = fitted(spec, cube, read_rows(spec, History(runs)))
    found = goal(models, cube, spec, 0, np.random.default_rng(0))
    assert found.acquisition.places[-1].radius < 0.15


@pytest.mark.parametrize(
    "prior",
    [
        Normal(0.5, 1e16),
        Normal(0.5, 1e-160),
        Normal(1.0, 1e-9),
        Beta(1e308, 1e308),
        Beta(0.01, 0.2),
        Beta(1e-17, 1),
    ],
    ids=str,
)
def test_extreme_beliefs_give_numbers(prior):
    space = Space((Double("x", 0, 1, prior=prior),))
    value, slope = log_prior(Cube(space), 4)(np.array([[0.0], [1e-9], [0.5], [1.0]]))
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    if prior == Normal(1.0, 1e-9):  # a belief at a bound is one too
        assert value[-1] > value[2]
