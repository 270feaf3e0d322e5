"""Experiments that change while they run: thresholds, strategies, budget, bounds."""

import subprocess
import sys

import pytest

import heliostat as hs
from heliostat.analysis import Standing, standing
from heliostat.errors import InvalidValue, Unsupported
from heliostat.trial import State


def guarded(log_url, **more):
    options = {"budget": 6, "searcher": "sobol", "log": log_url, **more}
    return hs.Experiment(
        "guarded",
        parameters=[hs.Double("x", 0, 10), hs.Categorical("kind", ["a", "b", "c"])],
        metrics=[hs.minimize("loss"), hs.guardrail("latency <= 5"), hs.store("size")],
        **options,
    )


def told(experiment, latencies):
    for latency in latencies:
        run = experiment.ask()
        experiment.tell(run, {"loss": 10.0 - latency, "latency": latency, "size": 1.0})


def test_a_moved_threshold_judges_past_runs_anew_and_leaves_their_states(log_url):
    experiment = guarded(log_url)
    told(experiment, [3.0, 6.0, 9.0])
    assert experiment.best().numbers["latency"] == 3.0
    experiment.update(metrics=[hs.guardrail("latency <= 8")])
    assert experiment.best().numbers["latency"] == 6.0
    runs = experiment.runs()
    assert {run.state for run in runs} == {State.COMPLETED}
    assert [standing(experiment.spec, run) for run in runs] == [
        Standing.FEASIBLE,
        Standing.FEASIBLE,
        Standing.INFEASIBLE,
    ]


def test_a_live_engine_takes_the_change_before_its_next_suggestion(log_url):
    experiment = guarded(log_url)
    told(experiment, [3.0])
    elsewhere = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    elsewhere.update(metrics=[hs.guardrail("latency <= 8")], budget=2, name="renamed")
    assert experiment.engine.spec.metrics["latency"].threshold == 5.0
    told(experiment, [3.0])
    assert experiment.engine.spec.metrics["latency"].threshold == 8.0
    with pytest.raises(InvalidValue, match="the budget is spent"):
        experiment.ask()
    assert experiment.name == "renamed"
    elsewhere.update(budget=3)
    told(experiment, [3.0])


def test_a_change_by_another_process_reaches_a_running_loop(log_url):
    experiment = guarded(log_url, budget=2)
    code = (
        "import sys, heliostat as hs\n"
        "experiment = hs.Experiment.open(int(sys.argv[2]), hs.open_log(sys.argv[1]))\n"
        "experiment.update(budget=4, parameters=[hs.Double('x', 20, 30)])\n"
    )
    for run in experiment.loop():
        if run.number == 1:
            subprocess.run([sys.executable, "-c", code, log_url, str(experiment.id)], check=True)
        run.log_metrics(loss=1.0, latency=1.0)
    xs = [run.assignments["x"] for run in experiment.runs()]
    assert len(xs) == 4
    assert [x >= 20 for x in xs] == [False, True, True, True]


def test_strategies_change_and_the_searcher_must_be_able(log_url):
    experiment = guarded(log_url)
    told(experiment, [3.0, 6.0])
    experiment.update(metrics=[hs.store("latency")])
    assert experiment.best().numbers["latency"] == 6.0
    experiment.update(metrics=[hs.minimize("latency")])
    assert len(experiment.best_runs()) == 2
    experiment.update(metrics=[hs.guardrail("size", at_most=0.5), hs.store("latency")])
    assert experiment.best() is None


def test_a_change_that_the_searcher_cannot_follow_is_refused(log_url):
    experiment = hs.Experiment(
        "one",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("a"), hs.store("b")],
        searcher="hyperopt",
        budget=3,
        log=log_url,
    )
    with pytest.raises(Unsupported, match=r"several|two or more"):
        experiment.update(metrics=[hs.minimize("b")])
    assert experiment.spec.metrics["b"].strategy == "store"


def test_bounds_and_categories_change_and_runs_without_a_place_are_not_learned_from(log_url):
    experiment = guarded(log_url, budget=20)
    for kind in ("a", "b", "c"):
        experiment.add({"x": 5.0, "kind": kind}, {"loss": 1.0, "latency": 1.0, "size": 1.0})
    experiment.update(parameters=[hs.Categorical("kind", ["a", "b"]), hs.Double("x", 4, 12)])
    run = experiment.ask()
    assert run["kind"] in ("a", "b")
    assert 4 <= run["x"] <= 12
    assert [item.assignments["kind"] for item in experiment.engine.history.completed] == ["a", "b"]
    assert len(experiment.runs()) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 3},
        {"searcher": "random"},
        {"linear_constraints": []},
        {"num_solutions": 2},
        {"metrics": ["other"]},
        {"metrics": [hs.store("loss"), hs.store("latency")]},
        {"parameters": [hs.Int("x", 0, 10)]},
        {"parameters": [hs.Double("x", 1, 10, log=True)]},
        {"parameters": [hs.Double("x", grid=[1, 2])]},
        {"parameters": [hs.Double("z", 0, 1)]},
        {"parameters": [hs.Double("x", 0, 10, conditions={"kind": "a"})]},
        {"budget": 0},
        {"budget": None},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_what_may_not_change_is_refused_and_nothing_happens(log_url, change):
    experiment = guarded(log_url)
    before = experiment.spec
    with pytest.raises(InvalidValue):
        experiment.update(**change)
    assert experiment.spec == before


def test_metadata_and_bandwidth_change(log_url):
    experiment = guarded(log_url)
    experiment.update(metadata={"owner": "ada"}, parallel_bandwidth=4)
    assert (experiment.spec.metadata, experiment.spec.parallel_bandwidth) == ({"owner": "ada"}, 4)
    experiment.update(parallel_bandwidth=None)
    assert experiment.spec.parallel_bandwidth is None
