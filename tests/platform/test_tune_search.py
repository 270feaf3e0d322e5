"""The search algorithm in scripts that know nothing else of Heliostat: what they declare, how trials end."""

import logging
import pickle
import sys
import time
from pathlib import Path

import pytest
import ray
from ray import tune

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.trial import State
from heliostat_searchers.tune import HeliostatSearch
from heliostat_searchers.tune.search import MEMORY

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

SPACE = {
    "x": tune.uniform(0, 1),
    "net": {"depth": tune.choice([2, 4])},
    "model": tune.choice([{"kind": "svm", "C": tune.loguniform(0.01, 10)}, {"kind": "none"}]),
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch, log_url):
    monkeypatch.setenv("HELIOSTAT_LOG", log_url)
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    for name in ("ray.tune", "ray.train", "ray.air"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


def train(config):
    """Five results, fast; what happens at the third depends on the configuration."""
    for step in range(5):
        if step == 2 and config.get("gate") and config["x"] < 0.4 and not Path(config["gate"]).exists():
            raise ValueError("too small")
        time.sleep(config.get("pause", 0))
        tune.report({"loss": config["x"] + 1 / (step + 1), "size": config["net"]["depth"]})


def tuner(search, tmp_path, space=SPACE, run=None, **config):
    return tune.Tuner(
        train,
        param_space=space,
        tune_config=tune.TuneConfig(
            **{"search_alg": search, "max_concurrent_trials": 2, "reuse_actors": True, **config}
        ),
        run_config=tune.RunConfig(
            **{"name": "script", "storage_path": str(tmp_path / "tune"), "verbose": 0, **(run or {})}
        ),
    )


def states(experiment):
    return [str(run.state) for run in experiment.runs()]


@pytest.mark.slow
def test_an_untouched_script_declares_its_experiment(ray_cluster, tmp_path):
    search = HeliostatSearch(searcher="sobol", seed=3)
    results = tuner(search, tmp_path, metric="loss", mode="min", num_samples=6).fit()
    experiment = search.experiment
    assert (experiment.name, experiment.spec.budget, experiment.spec.seed) == ("script", 6, 3)
    assert [item.name for item in experiment.spec.space.dimensions] == [
        "model",
        "x",
        "net/depth",
        "model/svm/C",
    ]
    assert states(experiment) == ["completed"] * 6
    told = {result.config["x"]: result for result in results}
    for run in experiment.runs():
        result = told[run.assignments["x"]]
        assert result.config["net"] == {"depth": run.assignments["net/depth"]}
        assert result.config["model"]["kind"] == run.assignments["model"]
        assert run.numbers["loss"] == result.metrics["loss"]
        assert len(run.curve) == 5
    assert results.get_best_result().metrics["loss"] == experiment.best().numbers["loss"]


class Poison:
    """Touches a file when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


@pytest.mark.slow
def test_a27_what_lies_in_the_folder_of_a_new_search_is_not_unpickled(ray_cluster, tmp_path):
    """A27 of the attack cases: only ``Tuner.restore``, whose path the operator names, reads pickles."""
    canary, folder = tmp_path / "canary", tmp_path / "tune" / "script"
    folder.mkdir(parents=True)
    for name in (MEMORY, "tuner.pkl", "trainable.pkl", "searcher-state-0.pkl"):
        (folder / name).write_bytes(pickle.dumps(Poison(canary)))
    search = HeliostatSearch(searcher="random")
    tuner(search, tmp_path, metric="loss", mode="min", num_samples=1).fit()
    assert states(search.experiment) == ["completed"]
    assert not canary.exists()


def test_a_script_that_cannot_be_understood_is_refused_before_anything_runs(ray_cluster, tmp_path):
    space = {"x": tune.grid_search([1, 2])}
    with pytest.raises(InvalidValue, match=r"param_space\.x: grid_search"):
        tuner(
            HeliostatSearch(), tmp_path, {**space, "y": tune.uniform(0, 1)}, metric="loss", mode="min"
        ).fit()
    with pytest.raises(InvalidValue, match="metric: what is to be optimized is missing"):
        tuner(HeliostatSearch(), tmp_path, {"x": tune.uniform(0, 1)}).fit()


class Enough(tune.Stopper):
    """Breaks the whole search off after so many results, as a budget of time does."""

    def __init__(self, results):
        self.left = results

    def __call__(self, trial_id, result):
        self.left -= 1
        return False

    def stop_all(self):
        return self.left <= 0


@pytest.mark.slow
def test_what_breaks_the_search_off_ends_every_run(ray_cluster, tmp_path):
    search = HeliostatSearch(searcher="sobol", metric="loss", mode="min")
    space = {**SPACE, "pause": 0.2}
    tuner(search, tmp_path, space, run={"stop": Enough(8)}, num_samples=-1).fit()
    found = search.experiment.runs()
    assert {run.state for run in found} <= {State.CANCELLED, State.COMPLETED}
    assert [run for run in found if run.end_reason == "the sweep ended during the run"]


@pytest.mark.slow
def test_a_schedulers_stops_and_retries_are_told(ray_cluster, tmp_path):
    from ray.tune.schedulers import ASHAScheduler

    scheduler = ASHAScheduler(max_t=5, grace_period=1, reduction_factor=2)
    search = HeliostatSearch(searcher="sobol")
    config = {"metric": "loss", "mode": "min", "num_samples": 8, "scheduler": scheduler}
    tuner(search, tmp_path, max_concurrent_trials=1, **config).fit()
    for run in search.experiment.runs():
        is_whole = len(run.curve) == 5
        assert run.state is (State.COMPLETED if is_whole else State.EARLY_STOPPED)
        assert is_whole or run.end_reason.startswith("stopped by AsyncHyperBandScheduler at iteration")
    assert "early_stopped" in states(search.experiment)


@pytest.mark.slow
def test_a_restored_experiment_goes_on_in_the_log_beyond_its_samples(ray_cluster, tmp_path):
    gate = tmp_path / "gate"
    search = HeliostatSearch(metric=["loss", "size"], mode=["min", "max"], searcher="sobol")
    tuner(search, tmp_path, {**SPACE, "gate": str(gate)}, num_samples=6).fit()
    before = search.experiment.runs()
    failed = [run for run in before if run.state is State.FAILED]
    assert failed
    assert all(run.failure.message == "ValueError: too small" for run in failed)
    gate.touch()
    search.experiment.update(budget=len(before) + len(failed) + 2)
    tune.Tuner.restore(str(tmp_path / "tune" / "script"), train, restart_errored=True).fit()
    after = hs.Experiment.open(search.experiment.id).runs()
    assert after[: len(before)] == before
    again = after[len(before) : len(before) + len(failed)]
    assert sorted(run.assignments["x"] for run in again) == sorted(run.assignments["x"] for run in failed)
    assert {str(run.state) for run in after[len(before) :]} == {"completed"}
    assert len(after) == len(before) + len(failed) + 2
