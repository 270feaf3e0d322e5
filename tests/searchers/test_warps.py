"""Changes of a metric's scale: they keep order, can be undone, and show where a limit lies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.space import Double, Space
from heliostat.trial import History, Measurement, Run, State
from heliostat_searchers.bayesian.searcher import BayesianSearcher
from heliostat_searchers.bayesian.warps import IDENTITY, Bilog, Tail, warp_of

SPEC = ExperimentSpec(
    "warps",
    Space((Double("x", 0, 1), Double("y", 0, 1))),
    Metrics((minimize("cost"), guardrail("margin", at_least=0))),
    budget=30,
)

scales = st.sampled_from([1.0, 0.1, 0.01])
places = st.integers(-3000, 3000).map(lambda place: place / 1000)
columns = st.lists(places, min_size=2, max_size=20, unique=True).map(np.array)


def warps(values, scale, limit):
    return [IDENTITY, warp_of(values, Tail(scale, float(values.max()))), warp_of(values, Bilog(scale, limit))]


@given(columns, scales, places)
def test_a_warp_can_be_undone(values, scale, limit):
    for warp in warps(values, scale, limit):
        np.testing.assert_allclose(warp.backward(warp.forward(values)), values, atol=1e-9)


@given(columns, scales, places)
def test_a_warp_keeps_order_and_standardises(values, scale, limit):
    for warp in warps(values, scale, limit)[1:]:
        warped = warp.forward(values)
        np.testing.assert_array_equal(np.argsort(warped), np.argsort(values))
        assert warped.mean() == pytest.approx(0.0, abs=1e-9)
        assert warped.std() == pytest.approx(1.0)


@given(columns, scales, places)
def test_slopes_are_those_of_finite_differences(values, scale, limit):
    below = values - 1e-3 * scale  # a tail is steep beyond its best value, where no row lies
    step = 1e-6 * scale
    for warp in warps(values, scale, limit):
        rise = (warp.forward(below + step) - warp.forward(below - step)) / (2 * step)
        np.testing.assert_allclose(warp.slope(below), rise, rtol=2e-3)


def test_far_beliefs_stay_finite():
    for curve in (Tail(0.01, 1.0), Bilog(0.01, 0.0)):
        assert np.isfinite(curve.backward(np.array([-1e9, 1e9]))).all()
        assert np.isfinite(curve.forward(np.array([-1e9, 1e9]))).all()


def margin(x, y):
    """Over four orders of magnitude on both sides of 0, which is all that a guardrail asks about."""
    return float(np.sinh(12.0 * (x + 0.5 * y - 0.8)))


def latency(x, y):
    """As a guardrail: positive, and over three orders of magnitude across 20."""
    return -20.0 * float(np.exp(8.0 * (x + y - 0.9)))


def told_apart(function, limit, seed):
    """Share of places at which the model is right about the limit, after 20 runs."""
    spec = replace(SPEC, metrics=Metrics((minimize("cost"), guardrail("margin", at_least=limit))))
    rng = np.random.default_rng(seed)
    runs = [
        Run(
            assignments={"x": x, "y": y},
            state=State.COMPLETED,
            values={"cost": Measurement(x + y), "margin": Measurement(function(x, y))},
        )
        for x, y in rng.random((20, 2)).tolist()
    ]
    asked = rng.random((300, 2)).tolist()
    model = BayesianSearcher().surrogate(spec, History(tuple(runs)))
    expected = model.at([{"x": x, "y": y} for x, y in asked])["margin"].mean
    return np.mean((expected >= limit) == np.array([function(x, y) >= limit for x, y in asked]))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("function", "limit"), [(margin, 0.0), (latency, -20.0)])
def test_a_guardrail_of_many_magnitudes_is_told_apart_at_its_limit(function, limit, seed):
    assert told_apart(function, limit, seed) > 0.95


@pytest.mark.parametrize("limit", [1e4, 1e9, 1e16, 1e300])
@pytest.mark.parametrize("sense", ["at_least", "at_most"])
def test_values_are_told_apart_however_far_the_limit(limit, sense):
    spec = replace(SPEC, metrics=Metrics((minimize("cost"), guardrail("margin", **{sense: limit}))))
    rng = np.random.default_rng(0)
    runs = [
        Run(
            number=number,
            assignments={"x": x, "y": y},
            state=State.COMPLETED,
            values={"cost": Measurement(x + y), "margin": Measurement(20 + 5 * x + rng.standard_normal())},
        )
        for number, (x, y) in enumerate(rng.random((20, 2)).tolist(), 1)
    ]
    seen = BayesianSearcher().surrogate(spec, History(tuple(runs))).left_out()["margin"].observed
    np.testing.assert_allclose(seen, [run.numbers["margin"] for run in runs], rtol=1e-6)
