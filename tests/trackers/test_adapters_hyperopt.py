"""Hyperopt's trials are recorded as they happen, and Hyperopt does not notice."""

import functools
import logging
import pickle

import hyperopt
import numpy as np
import pytest
from hyperopt import Trials, hp, rand, tpe

from heliostat.registry import open_log
from heliostat.testing.adapters import (
    FAILING,
    PROJECT,
    REASON,
    TRIALS,
    Account,
    AdapterContract,
    Told,
    settled,
)
from heliostat.trial import State
from heliostat_trackers.adapters.hyperopt import track

logging.getLogger("hyperopt").setLevel(logging.CRITICAL)

LINE = hp.uniform("x", 0, 1)


@pytest.fixture
def log(tmp_path):
    return open_log(tmp_path / "runs.db")


def recorded(log, trials=None, **more):
    return track(trials or Trials(), log, project=PROJECT, **more)


def minimize(objective, trials, space=LINE, *, count, algo=tpe.suggest, **more):
    options = {"rstate": np.random.default_rng(1), "show_progressbar": False, "verbose": False, **more}
    return hyperopt.fmin(objective, space, algo=algo, max_evals=count, trials=trials, **options)


class TestHyperopt(AdapterContract):
    adapter, origin, searcher = "hyperopt", "hyperopt", "tpe.suggest"

    def search(self, tracked, during):
        trials, places = tracked(Trials()), iter(range(TRIALS))

        def objective(x):
            place = next(places)
            during(place)
            if place == FAILING:
                raise ValueError(REASON)
            return (x - 0.3) ** 2

        minimize(objective, trials, count=TRIALS, catch_eval_exceptions=True)
        account = tuple(
            Told({"x": doc["misc"]["vals"]["x"][0]}, {"loss": doc["result"]["loss"]}, State.COMPLETED)
            if doc["state"] == hyperopt.JOB_STATE_DONE
            else Told({"x": doc["misc"]["vals"]["x"][0]}, {}, State.FAILED)
            for doc in trials._dynamic_trials
        )
        return Account(account, (trials.argmin, trials.best_trial["tid"]))


def test_choices_are_recorded_as_what_they_are(log):
    seen = []
    space = {
        "activation": hp.choice("activation", ["relu", "tanh"]),
        "layers": hp.choice("layers", [(32,), (64, 64)]),
        "kind": hp.choice("kind", [{"name": "svm", "C": hp.uniform("C", 1, 2)}, {"name": "bayes"}]),
        "epochs": 5,
    }

    def objective(params):
        seen.append(params)
        return 0.5

    minimize(objective, recorded(log), space, count=8)
    runs = settled(log, 8)
    assert {params["kind"]["name"] for params in seen} == {"svm", "bayes"}
    for run, params in zip(runs, seen, strict=True):
        inner = {f"kind/{name}": value for name, value in params["kind"].items()}
        texts = {"activation": params["activation"], "layers": repr(params["layers"]), "epochs": 5}
        assert dict(run.assignments) == {**texts, **inner}


def test_a_space_that_is_no_mapping_goes_by_labels(log):
    space = hp.choice("kind", ["first", hp.uniform("x", 2, 3)])
    minimize(lambda value: 0.5, recorded(log), space, count=6)
    assert {run.assignments["kind"] for run in settled(log, 6)} == {"first", 1}
    assert all(("x" in run.assignments) == (run.assignments["kind"] == 1) for run in settled(log, 6))


def test_results_are_metrics_with_their_deviation(log):
    result = {"loss": 0.5, "loss_variance": 0.04, "accuracy": np.float64(0.9), "status": "ok", "why": "tried"}
    minimize(lambda x: result, recorded(log), count=1)
    (run,) = settled(log, 1)
    assert run.numbers == {"loss": 0.5, "accuracy": 0.9}
    assert run.values["loss"].stddev == pytest.approx(0.2)
    assert run.metadata["why"] == "tried"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"status": "fail"}, "the objective returned status fail"),
        ({"status": "fail", "status_fail": "diverged"}, "diverged"),
        ({"status": "ok", "loss": float("nan")}, "metric 'loss' is nan"),
    ],
)
def test_reported_failures_are_failures(log, result, reason):
    results = iter([result, {"status": "ok", "loss": 1.0}])
    minimize(lambda x: next(results), recorded(log), count=2)
    failed, fine = settled(log, 2)
    assert (failed.state, failed.end_reason, fine.state) == (State.FAILED, reason, State.COMPLETED)


@pytest.mark.parametrize(
    ("error", "state"), [(ZeroDivisionError, State.FAILED), (KeyboardInterrupt, State.CANCELLED)]
)
def test_what_leaves_fmin_ends_its_run(log, error, state):
    def objective(x):
        raise error

    with pytest.raises(error):
        minimize(objective, recorded(log), count=3)
    assert [run.state for run in settled(log, 1)] == [state]


def test_checkpoints_of_an_objective_are_its_curve(log):
    @hyperopt.fmin_pass_expr_memo_ctrl
    def objective(expr, memo, ctrl):
        for step in range(3):
            ctrl.checkpoint({"loss": 1.0 / (step + 1), "status": "running"})
        return {"loss": 0.25, "status": "ok"}

    minimize(objective, recorded(log), count=1)
    (run,) = settled(log, 1)
    assert [(point.step, point.values["loss"]) for point in run.curve] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert run.numbers == {"loss": 0.25}


def test_a_queue_of_several_is_recorded_one_by_one(log):
    def objective(x):
        runs = settled(log, count, is_over=False)
        assert [run.state for run in runs] == [State.COMPLETED] * count + [State.ACTIVE]
        return x

    trials = recorded(log)
    for count in range(4):
        minimize(objective, trials, count=count + 1, max_queue_len=4)
    assert len(settled(log, 4)) == 4


def test_trials_that_were_there_are_recorded_and_pickles_are_plain(log):
    trials = Trials()
    minimize(lambda x: x, trials, count=2)
    trials = recorded(log, trials)
    minimize(lambda x: x, trials, count=3, algo=functools.partial(rand.suggest))
    assert {run.searcher for run in settled(log, 3)} == {"rand.suggest"}
    again = pickle.loads(pickle.dumps(trials))
    assert type(again) is Trials
    assert again.losses() == trials.losses() == trials.view().losses()
    minimize(lambda x: x, again, count=5)
    assert len(settled(log, 3)) == 3
