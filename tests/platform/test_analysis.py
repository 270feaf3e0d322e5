from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from heliostat.analysis import (
    Standing,
    best_run,
    counts,
    curve_metric,
    curves,
    hypervolume,
    importances,
    is_feasible,
    leaders,
    non_dominated,
    pareto_front,
    progress,
    standing,
)
from heliostat.analysis.curves import LARGEST_CURVE
from heliostat.analysis.progress import reference_point
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec, Task
from heliostat.metrics import Metrics, guardrail, maximize, minimize, store
from heliostat.space import Categorical, Conditional, Double, Space
from heliostat.testing.synthetic import in_state, vision_runs, vision_spec
from heliostat.trial import Checkpoint, Measurement, Run, State

POINTS = arrays.arrays(
    float,
    st.tuples(st.integers(0, 12), st.integers(1, 4)),
    elements=st.integers(0, 6).map(lambda value: value / 4),
)
LINE = Space((Double("x", 0, 1),))


def experiment(*metrics, space=LINE, **fields):
    return ExperimentSpec(name="e", space=space, metrics=Metrics(metrics), budget=100, **fields)


def done(number, state=State.COMPLETED, *, task=None, x=0.5, **values):
    measured = {name: Measurement(float(value)) for name, value in values.items()}
    return Run(number=number, state=state, values=measured, task=task, assignments={"x": x})


def brute_front(points):
    return [not any(np.all(q >= p) and np.any(q > p) for q in points) for p in points]


# Feasibility and best


@pytest.mark.parametrize("state", [state for state in State if state is not State.COMPLETED])
def test_only_completed_runs_count(state):
    spec = experiment(maximize("a"))
    runs = [done(1, a=1), done(2, state, a=9)]
    assert best_run(spec, runs).number == 1
    assert standing(spec, runs[1]).value == state.value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_never_count(value):
    spec = experiment(maximize("a"), minimize("b"))
    runs = [done(1, a=1, b=1), done(2, a=value, b=0), done(3, a=2)]
    assert [run.number for run in pareto_front(spec, runs)] == [1]
    assert standing(spec, runs[1]) is Standing.INCOMPLETE


def test_a_guardrail_is_inclusive():
    spec = experiment(maximize("a"), guardrail("size", at_most=2))
    assert is_feasible(spec, done(1, a=1, size=2))
    assert not is_feasible(spec, done(1, a=1, size=2.001))
    assert best_run(spec, [done(1, a=5, size=3), done(2, a=1, size=1)]).number == 2


def test_cheaper_tasks_do_not_compete():
    spec = experiment(maximize("a"), tasks=(Task("cheap", 0.1), Task("full", 1.0)))
    runs = [done(1, task="cheap", a=9), done(2, task="full", a=1)]
    assert best_run(spec, runs).number == 2
    assert standing(spec, runs[0]) is Standing.PROXY


def test_the_earliest_of_equals_is_best():
    spec = experiment(minimize("a"))
    assert best_run(spec, [done(3, a=1), done(2, a=1), done(1, a=2)]).number == 2


def test_several_objectives_have_no_single_best():
    spec = experiment(maximize("a"), minimize("b"))
    runs = [done(1, a=1, b=1), done(2, a=2, b=2), done(3, a=0, b=2)]
    assert best_run(spec, runs) is None
    assert [run.number for run in leaders(spec, runs)] == [1, 2]


def test_the_front_keeps_inside_thresholds():
    spec = experiment(maximize("a", threshold=0.5), minimize("b"))
    runs = [done(1, a=0.4, b=0), done(2, a=0.5, b=1), done(3, a=0.9, b=2)]
    assert [run.number for run in pareto_front(spec, runs)] == [2, 3]


def test_without_objectives_all_that_meets_the_limits_leads():
    spec = experiment(guardrail("a", at_least=1), guardrail("b", at_most=1))
    runs = [done(1, a=2, b=0), done(2, a=0, b=0), done(3, a=1, b=1)]
    assert [run.number for run in leaders(spec, runs)] == [1, 3]
    assert progress(spec, runs).numbers == ()


@given(POINTS)
def test_the_front_is_what_nothing_dominates(points):
    assert non_dominated(points).tolist() == brute_front(points)


# Hypervolume


def test_hypervolume_of_known_sets():
    assert hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.zeros(2)) == 3
    assert hypervolume(np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.5]]), np.zeros(3)) == 1.5
    assert hypervolume(np.empty((0, 2)), np.zeros(2)) == 0
    assert hypervolume(np.array([[3.0], [2.0]]), np.array([1.0])) == 2


@given(POINTS)
@settings(deadline=None)
def test_hypervolume_equals_a_count_of_cells(points):
    """On a grid the volume is the number of unit cells below some point."""
    m = points.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(6)] * m, indexing="ij"), -1).reshape(-1, m)
    whole = points * 4
    covered = np.zeros(len(cells), dtype=bool)
    for point in whole:
        covered |= np.all(cells + 1 <= point, axis=1)
    assert hypervolume(whole, np.zeros(m)) == pytest.approx(covered.sum())


@given(POINTS, st.randoms(use_true_random=False))
def test_hypervolume_does_not_depend_on_order(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    zero = np.zeros(points.shape[1])
    assert hypervolume(points[order], zero) == pytest.approx(hypervolume(points, zero))
    assert hypervolume(points[:, ::-1], zero) == pytest.approx(hypervolume(points, zero))


@given(POINTS)
def test_hypervolume_never_shrinks_and_ignores_dominated_points(points):
    zero = np.zeros(points.shape[1])
    volumes = [hypervolume(points[:count], zero) for count in range(len(points) + 1)]
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(volumes))
    assert hypervolume(points[non_dominated(points)], zero) == pytest.approx(volumes[-1])


@pytest.mark.parametrize(
    ("points", "reference"),
    [(np.zeros((1, 2)), np.zeros(3)), (np.zeros(2), np.zeros(2)), (np.full((1, 2), np.nan), np.zeros(2))],
)
def test_hypervolume_refuses_what_it_cannot_measure(points, reference):
    with pytest.raises(InvalidValue):
        hypervolume(points, reference)


# Progress


def test_progress_of_one_objective():
    spec = experiment(minimize("a"), guardrail("g", at_most=1))
    runs = [done(2, a=3, g=0), done(1, a=1, g=2), done(4, a=2, g=1), done(3, State.FAILED)]
    reached = progress(spec, runs)
    assert reached.numbers == (1, 2, 4)
    assert math.isnan(reached.values[0])
    assert reached.values[1:] == (3, 2)
    assert reached.improved == (2, 4)


def test_progress_of_several_objectives_ends_at_the_front():
    spec, runs = vision_spec(), vision_runs(60)
    reached = progress(spec, runs)
    known = [value for value in reached.values if not math.isnan(value)]
    assert known == sorted(known)
    assert 0 < known[-1] <= 1
    assert {run.number for run in pareto_front(spec, runs)} <= set(reached.improved)


def test_progress_starts_from_declared_thresholds():
    spec = experiment(maximize("a", threshold=1), minimize("b", threshold=5))
    assert reference_point(spec, np.array([[2.0, -3.0]])).tolist() == [1.0, -5.0]
    outside = progress(spec, [done(1, a=0, b=9)])
    assert outside.values == (0.0,)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_progress_survives_extreme_values(scale):
    spec = experiment(maximize("a"), minimize("b"))
    runs = [done(n, a=n * scale, b=-n * scale) for n in range(1, 5)]
    assert progress(spec, runs).values[-1] == pytest.approx(1)


@given(st.permutations(range(1, 13)))
@settings(max_examples=20, deadline=None)
def test_progress_depends_on_numbers_not_on_order(order):
    spec, runs = vision_spec(), vision_runs(12)
    shuffled = [runs[number - 1] for number in order]
    assert progress(spec, shuffled).improved == progress(spec, runs).improved
    assert pareto_front(spec, shuffled) == pareto_front(spec, runs)


# Importance


def importance_runs(count, value, *, seed=0):
    rng = np.random.default_rng(seed)
    runs = []
    for number in range(1, count + 1):
        assigned = {"x": float(rng.uniform()), "y": float(rng.uniform()), "c": str(rng.choice(["p", "q"]))}
        measured = {"a": Measurement(value(assigned, rng))}
        runs.append(Run(number=number, state=State.COMPLETED, assignments=assigned, values=measured))
    return runs


BOX = Space((Double("x", 0, 1), Double("y", 0, 1), Categorical("c", ("p", "q"))))


@pytest.mark.parametrize(
    ("important", "value"),
    [("x", lambda p, _: (p["x"] - 0.3) ** 2), ("c", lambda p, _: float(p["c"] == "p"))],
)
def test_the_parameter_that_matters_is_high(important, value):
    (found,) = importances(experiment(minimize("a"), space=BOX), importance_runs(60, value))
    assert {name for name in found.shares if found.word(name) == "High"} == {important}
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.r2 > 0.5


def test_noise_is_not_clear():
    runs = importance_runs(40, lambda _, rng: float(rng.standard_normal()))
    (found,) = importances(experiment(minimize("a"), space=BOX), runs)
    assert found.word("x") == "not clear yet"
    assert "R²" in found.unclear


def test_few_runs_and_constant_metrics_are_not_clear():
    spec = experiment(minimize("a"), space=BOX)
    (few,) = importances(spec, importance_runs(14, lambda p, _: p["x"]))
    assert (few.word("x"), few.unclear) == ("not clear yet", "14 of 15 runs needed")
    (constant,) = importances(spec, importance_runs(20, lambda p, _: 2.0))
    assert constant.unclear == "one value only"


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_importance_does_not_depend_on_units(scale):
    spec = experiment(minimize("a"), space=BOX)
    (plain,) = importances(spec, importance_runs(30, lambda p, _: p["x"]))
    (scaled,) = importances(spec, importance_runs(30, lambda p, _: p["x"] * scale))
    assert scaled.shares == pytest.approx(plain.shares, abs=0.02)


def test_importance_is_the_same_every_time_and_handles_dead_parameters():
    spec, runs = vision_spec(), vision_runs(60)
    first, second = importances(spec, runs), importances(spec, runs)
    assert first == second or [item.shares for item in first] == [item.shares for item in second]
    assert set(first[0].shares) == {item.name for item in spec.space.dimensions}
    assert first[0].word("width") == "High"


def test_a_lone_parameter_is_high():
    spec = experiment(minimize("a"))
    runs = [done(n, a=n, x=n / 50) for n in range(1, 41)]
    assert importances(spec, runs)[0].word("x") == "High"


def test_foreign_assignments_are_left_out():
    spec = experiment(minimize("a"), space=BOX)
    runs = importance_runs(20, lambda p, _: p["x"])
    odd = [
        replace(runs[0], assignments={"x": "much", "y": 0.1, "c": "p"}),
        replace(runs[1], assignments={"c": "z"}),
    ]
    assert importances(spec, [*odd, *runs[2:]])[0].runs == 18


# Curves and counts


def curve_run(number, values, state=State.COMPLETED, name="a"):
    points = tuple(Checkpoint(step, {name: value}) for step, value in enumerate(values, start=1))
    return replace(done(number, state, a=values[-1]), curve=points)


def test_curves_know_the_best_and_the_stopped():
    spec = experiment(maximize("a"))
    runs = [
        curve_run(2, [0.1, 0.9]),
        curve_run(1, [0.1, 0.2]),
        curve_run(3, [0.0, math.nan], State.EARLY_STOPPED),
    ]
    found = curves(spec, runs, "a")
    assert [(curve.number, curve.is_best, curve.is_stopped) for curve in found] == [
        (1, False, False),
        (2, True, False),
        (3, False, True),
    ]
    assert curve_metric(spec, runs) == "a"


def test_long_curves_are_thinned_and_keep_their_ends():
    spec = experiment(maximize("a"))
    (curve,) = curves(spec, [curve_run(1, [float(n) for n in range(10_000)])], "a")
    assert len(curve.steps) == LARGEST_CURVE
    assert (curve.steps[0], curve.steps[-1]) == (1, 10_000)


def test_one_point_is_no_curve_and_undeclared_metrics_may_have_one():
    spec = experiment(maximize("a"), store("b"))
    assert curve_metric(spec, [curve_run(1, [0.1])]) is None
    assert curve_metric(spec, [curve_run(1, [0.1, 0.2], name="loss")]) == "loss"


def test_counts():
    spec, runs = vision_spec(), vision_runs(60)
    found = counts(spec, runs)
    assert found.total == 60 == sum(found.states.values())
    assert found.counted + found.incomplete == found.states[State.COMPLETED]
    assert (found.incomplete, found.budget) == (1, 80)
    assert found.used == 60 - found.states[State.LOST] - found.states[State.CANCELLED]
    assert counts(spec, in_state(runs, State.FAILED)).counted == 0


def test_switches_take_part_in_importance():
    space = Space(
        (Double("x", 0, 1, conditions={"s": "on"}), Double("y", 0, 1)), (Conditional("s", ("on", "off")),)
    )
    rng = np.random.default_rng(1)
    runs = []
    for number in range(1, 61):
        values = {"s": str(rng.choice(["on", "off"])), "y": float(rng.uniform())}
        if values["s"] == "on":
            values["x"] = float(rng.uniform())
        measured = {"a": Measurement(float(values["s"] == "on"))}
        runs.append(Run(number=number, state=State.COMPLETED, assignments=values, values=measured))
    (found,) = importances(experiment(minimize("a"), space=space), runs)
    assert found.word("s") == "High"
    assert found.word("y") == "Low"
