"""Convergence as a stopper of Ray Tune: the run ends early, and no trial's end is dropped."""

import sys

import pytest
from ray import tune

import heliostat as hs
from heliostat.trial import State
from heliostat_searchers.stopper import ConvergenceStopper
from heliostat_searchers.tune import HeliostatSearch
from heliostat_trackers.tune import RunLogCallback

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def experiment(ray_cluster, log_url):
    ray_cluster.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    parameters = [hs.Double("x", 0, 1)]
    return hs.Experiment(
        "flat",
        parameters=parameters,
        metrics=[hs.minimize("loss")],
        budget=60,
        searcher="random",
        log=log_url,
    )


def flat(config):
    """Nothing is ever won after the first trial."""
    for _ in range(3):
        tune.report({"loss": 1.0})


def fit(stopper, **more):
    config = {"num_samples": -1, "reuse_actors": True, **more.pop("tune", {})}
    run = tune.RunConfig(stop=stopper, verbose=0, **more.pop("run", {}))
    tune.Tuner(flat, tune_config=tune.TuneConfig(**config), run_config=run, **more).fit()


@pytest.mark.slow
@pytest.mark.parametrize("stops_running", [False, True])
def test_a_search_of_ours_ends_with_its_last_trial(experiment, stops_running):
    search = HeliostatSearch(experiment, parallel=2)
    stopper = ConvergenceStopper(experiment, stops_running=stops_running)
    fit(stopper, tune={"search_alg": search})
    search.close()
    experiment.engine.flush()
    runs = experiment.runs()
    assert stopper.verdict.is_converged
    assert 10 < len(runs) < 25
    began = [run for run in runs if run.curve]
    assert {run.state for run in began} <= {State.COMPLETED, State.EARLY_STOPPED}
    stopped = [run for run in began if run.state is State.EARLY_STOPPED]
    assert all("since the search has converged: no gain" in run.end_reason for run in stopped)
    assert all(len(run.curve) == 3 for run in began if run.state is State.COMPLETED)
    assert len(stopped) <= (1 if stops_running else 0)
    assert not [run for run in runs if run.state is State.ACTIVE]


@pytest.mark.slow
def test_under_another_searcher_trials_are_stopped_one_by_one_and_then_all(experiment, log_url):
    callback = RunLogCallback(log=experiment.log, experiment=experiment.id)
    stopper = ConvergenceStopper(experiment)
    fit(
        stopper,
        param_space={"x": tune.uniform(0, 1)},
        tune={"num_samples": 1000, "max_concurrent_trials": 2},
        run={"callbacks": [callback]},
    )
    runs = hs.open_log(log_url).runs(experiment.id, curves=True)
    assert stopper.verdict.is_converged
    assert 10 < len(runs) < 1000  # it looks once a second, and a hundred such trials may end in one
    began = [run for run in runs if run.curve]
    assert {run.state for run in began} <= {State.COMPLETED, State.EARLY_STOPPED}
    assert not [run for run in runs if run.state is State.ACTIVE]
