"""What past runs teach when the declaration has moved on since, or when there are very many of them."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from heliostat.errors import InvalidValue, Unsupported
from heliostat.experiment import ExperimentSpec, Task
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.registry import check_supported, make_searcher
from heliostat.space import Categorical, Double, Int, LinearConstraint, Space, sample
from heliostat.testing.problems import ZOO
from heliostat.trial import Checkpoint, History, Measurement, Run, State
from heliostat_searchers import ax_stock
from heliostat_searchers.bayesian import models, optimizer, searcher, sources
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.rows import read_rows

LOSS = Metrics((minimize("loss"),))
LINE = ExperimentSpec("line", Space((Double("x", 0.6, 1),)), LOSS, budget=40)


def done(values, *, state=State.COMPLETED, task=None, curve=(), **numbers):
    measured = {name: Measurement(value) for name, value in numbers.items()}
    return Run(assignments=values, state=state, task=task, curve=curve, values=measured)


def suggested(spec, runs, count=1, sources=()):
    history = History(tuple(runs), tuple(sources))
    return make_searcher("bayesian").suggest(spec, history, count, np.random.default_rng(0))


def recommended(spec, runs):
    return make_searcher("bayesian").recommend(spec, History(tuple(runs)))


# Bounds and grids that have moved


def test_runs_outside_the_bounds_are_learned_from_where_they_were():
    """The valley lies at 0.3, left of the bounds: nothing was measured at the edge, least of all its
    bottom."""
    runs = [done({"x": float(x)}, loss=(x - 0.3) ** 2) for x in np.linspace(0, 1, 21)]
    rows = read_rows(LINE, History(tuple(runs)))
    assert rows.units.min() == pytest.approx(-1.0)  # as far as a width away; x = 0 and 0.15 lie further
    assert rows.is_inside.sum() == 9
    (proposal,) = suggested(LINE, runs)
    assert proposal.predicted["loss"].mean == pytest.approx((proposal.assignments["x"] - 0.3) ** 2, abs=0.01)
    found = recommended(LINE, runs)
    assert found.assignments["x"] == pytest.approx(0.6)
    assert found.predicted["loss"].mean == pytest.approx(0.09, abs=0.01)


def test_a_point_of_the_users_far_outside_is_not_recommended():
    spec = ExperimentSpec("unit", Space((Double("x", 0, 1),)), LOSS, budget=40)
    runs = [done({"x": x / 8}, loss=(x / 8 - 0.5) ** 2) for x in range(8)]
    runs.append(done({"x": 1.4}, loss=-1.0))
    assert recommended(spec, runs).assignments["x"] == 0.5


def test_values_that_a_grid_has_lost_lie_between_those_it_has():
    spec = ExperimentSpec(
        "grid", Space((Int("batch", grid=(16, 64, 128)), Double("x", 0, 1))), LOSS, budget=9
    )
    runs = [done({"batch": batch, "x": 0.5}, loss=1.0) for batch in (16, 40, 64, 256)]
    rows = read_rows(spec, History(tuple(runs)))
    assert rows.units[:, 0].tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 2, 1.5])  # 256: two steps above 128
    assert rows.is_inside.tolist() == [True, False, True, False]


def test_where_all_runs_lie_outside_the_search_goes_on_inside():
    runs = [done({"x": float(x)}, loss=x) for x in np.linspace(0.3, 0.59, 8)]
    for proposal in suggested(LINE, runs, 3):
        assert 0.6 <= proposal.assignments["x"] <= 1
        assert proposal.predicted


def test_what_bounds_have_left_behind_is_not_what_there_is_to_beat():
    """The valley's bottom is out of reach: were it to be beaten, only the far corner would promise that."""
    runs = [done({"x": float(x)}, loss=(x - 0.55) ** 2) for x in np.linspace(0.2, 0.59, 12)]
    (proposal,) = suggested(LINE, runs)
    assert proposal.assignments["x"] < 0.65
    inside = [done({"x": float(x)}, loss=(x - 0.3) ** 2) for x in np.linspace(0.66, 1, 8)]
    (proposal,) = suggested(LINE, [*inside, Run(assignments={"x": 0.3})])
    assert "best so far 0.129" in proposal.why  # not what an open run at 0.3 is believed to find


def test_a_run_far_outside_takes_no_place_from_the_sources():
    spec = ExperimentSpec("warm", Space((Double("x", 0, 1),)), LOSS, budget=9, transfer=(1,))
    past = [done({"x": x / 8}, loss=(x / 8) ** 2) for x in range(9)]
    (proposal,) = suggested(spec, [done({"x": -5.0}, loss=3.0)], sources=past)
    assert proposal.why.startswith("transfer")
    assert proposal.assignments["x"] == pytest.approx(0.0, abs=0.02)


# Roles that have changed


def test_runs_without_a_metric_that_was_only_stored_have_not_failed():
    spec = ZOO["guarded"]
    names = spec.space.index
    draws = np.random.default_rng(0).random((6, len(names)))
    runs = [done(dict(zip(names, map(float, row), strict=True)), score=1.0) for row in draws[:4]]
    runs += [done(dict(zip(names, map(float, row), strict=True)), score=1.0, cost=0.5) for row in draws[4:]]
    rows = read_rows(spec, History(tuple(runs)))
    assert (rows.n, len(rows.failed)) == (2, 0)


def test_studies_of_one_project_are_sources_apart_and_those_of_one_experiment_are_not():
    spec = ExperimentSpec("warm", Space((Double("x", 0, 1),)), LOSS, budget=9, transfer=(1,))
    runs = [done({"x": x / 20}, loss=(x / 20 - 0.3) ** 2) for x in range(21)]
    folds = [replace(run, experiment=1, metadata={"study": f"fold{n % 10}"}) for n, run in enumerate(runs)]
    (proposal,) = suggested(spec, [], sources=folds)
    assert proposal.assignments["x"] == pytest.approx(0.3, abs=0.05)
    loose = [
        replace(run, project="old", metadata={"study": "a" if n % 2 else "b"}) for n, run in enumerate(runs)
    ]
    cube = Cube(spec.space)
    assert len(sources.trends(spec, cube, loose)["loss"].models) == 2
    assert len(sources.trends(spec, cube, folds)["loss"].models) == 1


def test_equal_results_are_no_model_whoever_was_stopped():
    runs = [done({"x": 0.6 + x / 30}, loss=1.0) for x in range(8)]
    stopped = [done({"x": 0.9 + x / 90}, state=State.EARLY_STOPPED, loss=1.0) for x in range(4)]
    (proposal,) = suggested(LINE, [*runs, *stopped])
    assert proposal.why == "explore: all results are equal"


def test_a_run_that_was_stopped_is_judged_by_the_curves_of_its_own_task():
    spec = replace(
        LINE, tasks=(Task("tenth", 0.1), Task("full", 1.0)), space=Space((Double("x", 0, 1),)), budget=9
    )

    def curve(*losses):
        return [Checkpoint(step, {"loss": loss}) for step, loss in enumerate(losses, 1)]

    proxies = [done({"x": x / 9}, task="tenth", curve=curve(3.0, 2.9), loss=2.9) for x in range(3)]
    full = [done({"x": x / 9}, task="full", curve=curve(3.0, 1.0), loss=1.0) for x in (4, 5)]
    stopped = done({"x": 0.9}, state=State.EARLY_STOPPED, task="full", curve=curve(3.1), loss=3.1)
    (column,) = read_rows(spec, History((*proxies, *full, stopped))).columns
    assert column.natural(float(column.values[-1]), 0.0).mean == pytest.approx(1.1)


# Defaults


def test_defaults_are_run_after_what_is_queued():
    spec = ZOO["mixed"]
    (queued,) = sample(spec.space, np.random.default_rng(5), 1)
    (proposal,) = suggested(spec, [Run(assignments=queued)])
    assert proposal.assignments == spec.space.defaults()


def test_defaults_are_run_beside_sources():
    spec = ExperimentSpec(
        "warm", Space((Double("x", 0, 1, default_value=0.9),)), LOSS, budget=9, transfer=(1,)
    )
    past = [done({"x": x / 8}, loss=(x / 8 - 0.4) ** 2) for x in range(9)]
    first, second, *_ = suggested(spec, [], 4, sources=past)
    assert first.assignments == {"x": 0.9}
    assert second.why.startswith("transfer")


def test_the_best_place_of_the_sources_is_climbed_to():
    """Of 2,048 draws in six dimensions none lies near the top of a narrow hill."""
    space = Space(tuple(Double(f"x{place}", 0, 1) for place in range(6)))
    spec = ExperimentSpec("warm", space, LOSS, budget=20, transfer=(1,))
    draws = np.random.default_rng(1).random((80, 6))
    past = [
        done(dict(zip(space.index, map(float, row), strict=True)), loss=float(np.sum((row - 0.35) ** 2)))
        for row in draws
    ]
    (proposal,) = suggested(spec, [], sources=past)
    place = np.array(list(proposal.assignments.values()))
    assert np.linalg.norm(place - 0.35) < 0.1


# Many


def test_a_thousand_failures_cost_no_more_than_a_few_hundred():
    spec = ExperimentSpec("crashes", Space((Double("x", 0, 1), Double("y", 0, 1))), LOSS, budget=9000)
    draws = np.random.default_rng(0).random((2100, 2))
    runs = [
        done({"x": float(x), "y": float(y)}, loss=x)
        if y > 0.9
        else done({"x": float(x), "y": float(y)}, state=State.FAILED)
        for x, y in draws
    ]
    rows = read_rows(spec, History(tuple(runs)))
    found = models.fitted(spec, Cube(spec.space), rows)
    assert found.objectives[0].data.n == rows.n + models.MODEL_FAILURES
    assert found.success.data.n == models.MODEL_ROWS
    good = found.success.data.values > 0
    assert good.sum() == rows.n  # the few that succeeded all count


@pytest.mark.parametrize(("n", "d", "pending"), [(1500, 4, 0), (40, 60, 0), (30, 6, 256)])
def test_large_problems_are_answered_with_new_legal_points(n, d, pending):
    space = Space(tuple(Double(f"x{place}", 0, 1) for place in range(d)))
    spec = ExperimentSpec("large", space, LOSS, budget=10_000)
    draws = np.random.default_rng(2).random((n + pending, d))
    places = [dict(zip(space.index, map(float, row), strict=True)) for row in draws]
    runs = [done(values, loss=values["x0"] + values["x1"] ** 2) for values in places[:n]]
    proposals = suggested(spec, [*runs, *(Run(assignments=values) for values in places[n:])], 2)
    for proposal in proposals:
        assert space.check(proposal.assignments) not in places
        assert proposal.predicted
    assert proposals[0].assignments != proposals[1].assignments
    assert min(sum((item.assignments["x0"], item.assignments["x1"] ** 2)) for item in proposals) < 0.5


# What cannot be modelled, and what cannot be run


def test_equal_results_do_not_hide_the_limits():
    spec = ExperimentSpec(
        "flat",
        Space((Double("x", 0, 1),)),
        Metrics((minimize("loss"), guardrail("cost", at_most=0.3))),
        budget=30,
    )
    runs = [done({"x": x / 8}, loss=1.0, cost=1 - x / 12) for x in range(8)]
    (proposal,) = suggested(spec, runs)
    assert proposal.why.startswith(
        "feasibility: no run within the bounds has met all limits yet, this one meets"
    )
    assert proposal.assignments["x"] > 0.8


def test_the_reason_names_the_chance_to_succeed():
    spec = ExperimentSpec(
        "both",
        Space((Double("x", 0, 1),)),
        Metrics((minimize("loss"), guardrail("cost", at_most=0.9))),
        budget=30,
    )
    runs = [done({"x": x / 8}, loss=x, cost=1 - x / 12) for x in range(8)]
    (guarded,) = suggested(spec, runs)
    assert "meets all limits with P = " in guarded.why
    (failing,) = suggested(spec, [*runs, done({"x": 0.95}, state=State.FAILED)])
    assert "succeeds and meets all limits with P = " in failing.why


def test_where_no_model_fits_the_log_says_so(monkeypatch, caplog):
    def broken(*_):
        raise LinAlgError("no factor")

    monkeypatch.setattr(searcher, "fitted", broken)
    runs = [done({"x": 0.6 + x / 30}, loss=float(x)) for x in range(8)]
    with caplog.at_level(logging.WARNING, logger="heliostat"):
        (proposal,) = suggested(LINE, runs)
    assert proposal.why == "explore: no model fits the results (no factor)"
    assert "no model fits the results, a Sobol point takes its place" in caplog.text


def test_where_ax_breaks_the_sweep_goes_on(monkeypatch, caplog):
    def broken(*_):
        raise TypeError("no such option")

    monkeypatch.setattr(ax_stock, "_client", broken)
    history = History((done({"x": 0.7}, loss=1.0),))
    with caplog.at_level(logging.WARNING, logger="heliostat"):
        (proposal,) = make_searcher("ax").suggest(LINE, history, 1, np.random.default_rng(0))
    assert proposal.why == "explore: Ax's model failed (TypeError)"
    assert "no such option" in caplog.text


def test_a_declaration_that_its_searcher_cannot_run_is_refused_at_once():
    with pytest.raises(InvalidValue, match="no countable values"):
        check_supported(replace(LINE, searcher="grid"))
    switch = Space(
        (Double("x", 0, 1, conditions={"kind": "b"}), Int("n", 1, 3, conditions={"kind": "a"})),
        conditionals=(Categorical("kind", ("a", "b")),),
    )
    with pytest.raises(InvalidValue, match=r"x\.grid"):
        check_supported(replace(LINE, space=switch, searcher="grid"))
    logs = Space(
        (Double("a", 0.1, 1, log=True), Double("b", 0, 1)),
        linear_constraints=(LinearConstraint("less_than", 1.0, (("a", 1), ("b", 1))),),
    )
    with pytest.raises(Unsupported, match="log"):
        check_supported(replace(LINE, space=logs, searcher="ax"))


def test_more_solutions_than_points_are_refused_when_they_are_asked_for():
    spec = ExperimentSpec("few", Space((Int("n", 1, 2),)), LOSS, num_solutions=3, budget=9)  # as in old logs
    with pytest.raises(InvalidValue, match="not be more than the space has points"):
        check_supported(spec)


def test_neighbouring_integers_of_a_wide_range_are_no_repetitions():
    spec = ExperimentSpec("wide", Space((Int("n", 0, 10**7),)), LOSS, budget=40)
    runs = [done({"n": 1234567 + 10**6 * place}, loss=float(abs(place))) for place in range(-1, 6)]
    cube = Cube(spec.space)
    answered = cube.features(cube.encoded([dict(run.assignments) for run in runs]))
    assert optimizer._is_repeat(cube, {"n": 1234567}, answered)
    assert not optimizer._is_repeat(cube, {"n": 1234568}, answered)


def test_what_is_recommended_on_a_constraint_is_the_known_point():
    space = Space(
        (Double("x", 0, 1), Double("y", 0, 1)),
        linear_constraints=(LinearConstraint("less_than", 1.0, (("x", 1), ("y", 1))),),
    )
    spec = ExperimentSpec("edge", space, LOSS, budget=40)
    places = [(0.1, 0.1), (0.5, 0.5), (0.3, 0.6), (0.7, 0.1), (0.2, 0.4), (0.4, 0.2)]
    runs = [done({"x": x, "y": y}, loss=(x - 0.6) ** 2 + (y - 0.6) ** 2) for x, y in places]
    assert recommended(spec, runs).assignments == {"x": 0.5, "y": 0.5}
