"""History → rows: states, curves, odd numbers, and the cube that rows live in."""

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, maximize, minimize
from heliostat.space import Double, Features, Space, sample
from heliostat.testing.spaces import spaces
from heliostat.trial import Checkpoint, History, Measurement, Run, State
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.curves import Finished
from heliostat_searchers.bayesian.pareto import is_efficient, reference_point
from heliostat_searchers.bayesian.rows import read_rows

SPEC = ExperimentSpec(
    "rows",
    Space((Double("x", 0, 1),)),
    Metrics((minimize("loss"), guardrail("cost", at_most=2))),
    budget=10,
)


def run(x, loss, cost=1.0, state=State.COMPLETED, **more):
    values = {"loss": Measurement(loss, more.pop("stddev", None)), "cost": Measurement(cost)}
    return Run(assignments={"x": x}, state=state, values=values, **more)


def curve(*values, name="loss"):
    return [Checkpoint(step, {name: value}) for step, value in enumerate(values, 1)]


def test_each_state_has_its_treatment():
    states = [State.FAILED, State.LOST, State.CANCELLED, State.ACTIVE]
    history = History(
        (run(0.1, 1.0), run(0.2, 3.0, cost=5.0), *(run(0.5, 0.0, state=state) for state in states))
    )
    rows = read_rows(SPEC, history)
    assert rows.units.tolist() == [[0.1], [0.2]]
    assert (len(rows.failed), len(rows.pending)) == (1, 1)
    assert rows.is_feasible.tolist() == [True, False]


def test_more_is_better_inside_and_natural_outside():
    loss, cost = read_rows(SPEC, History((run(0.1, 1.0), run(0.2, 3.0, cost=5.0)))).columns
    assert loss.values.tolist() == [1.0, -1.0]
    assert loss.natural(1.0, 0.5).mean == pytest.approx(1.0)
    assert loss.natural(1.0, 0.5).stddev == pytest.approx(0.5)
    assert cost.values[0] > cost.limit > cost.values[1]


@pytest.mark.parametrize("odd", [nan, float("inf"), -1e300, 1e300])
def test_a_number_that_is_none_counts_as_a_failure(odd):
    rows = read_rows(SPEC, History((run(0.1, 1.0), run(0.2, 3.0), run(0.3, odd))))
    assert (rows.n, rows.failed.tolist()) == (2, [[0.3]])


def test_a_very_bad_value_does_not_flatten_the_others():
    losses = [1.0, 2.0, 3.0, 4.0, 5.0, 1e30]
    rows = read_rows(SPEC, History(tuple(run(place / 10, loss) for place, loss in enumerate(losses))))
    assert np.diff(rows.columns[0].values)[:4].max() < -0.1


def test_given_noise_is_standardised():
    rows = read_rows(SPEC, History((run(0.1, 1.0, stddev=0.5), run(0.2, 3.0))))
    assert rows.columns[0].noise[0] == pytest.approx(0.25)
    assert np.isnan(rows.columns[0].noise[1])


def test_a_run_of_another_space_is_left_out():
    stranger = Run(assignments={"y": "?"}, state=State.COMPLETED, values=run(0, 1.0).values)
    assert read_rows(SPEC, History((run(0.1, 1.0), stranger))).n == 1


def test_an_early_stopped_run_gets_the_median_gain():
    done = [run(0, 1.0, curve=curve(5.0, 3.0, 1.0)), run(0, 2.0, curve=curve(6.0, 4.0, 2.0))]
    stopped = run(0, 7.0, state=State.EARLY_STOPPED, curve=curve(7.0))
    assert Finished(done).estimate(stopped, minimize("loss")) == 3.0


def test_an_estimate_is_not_better_than_the_best_final_unless_shown():
    done = [run(0, 1.0, curve=curve(5.0, 1.0))]
    promising = run(0, 2.0, state=State.EARLY_STOPPED, curve=curve(2.0))
    better = run(0, 0.5, state=State.EARLY_STOPPED, curve=curve(0.5))
    assert Finished(done).estimate(promising, minimize("loss")) == 1.0
    assert Finished(done).estimate(better, minimize("loss")) == 0.5
    assert Finished(done).estimate(better, maximize("loss")) == -3.5


def test_without_curves_the_last_values_stand():
    stopped = run(0, 0.7, state=State.EARLY_STOPPED)
    assert Finished([run(0, 0.1)]).estimate(stopped, minimize("loss")) == 0.7
    assert np.isnan(Finished([]).estimate(stopped, minimize("other")))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(spaces(), st.integers(0, 99))
def test_the_cube_does_for_many_what_the_space_does_for_one(space, seed):
    cube, rng = Cube(space), np.random.default_rng(seed)
    assignments = sample(space, rng, 5)
    units = cube.encoded(assignments)
    np.testing.assert_allclose(cube.features(units), Features(space).rows(assignments), atol=1e-12)
    free = rng.random((5, space.d))
    snapped = cube.snapped(free)
    wanted = [space.encode(space.decode_freely(unit)) for unit in free]
    np.testing.assert_allclose(snapped, wanted, atol=1e-9)


def test_the_front_and_the_point_behind_it():
    values = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    assert is_efficient(values).tolist() == [True, True, False, True]
    np.testing.assert_allclose(reference_point(values, (None, 0.3)), [-0.1, 0.3])
    np.testing.assert_allclose(reference_point(values[:1], (None, None)), [-0.1, 0.9])
