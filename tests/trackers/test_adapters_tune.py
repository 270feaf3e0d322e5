"""Ray Tune's trials are recorded whoever proposes them; a restored experiment's trials are the same runs."""

import json
import logging
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from ray import tune

import heliostat as hs
from heliostat.registry import open_log
from heliostat.testing.adapters import PROJECT, settled
from heliostat.trial import State
from heliostat.writes import CreateRun
from heliostat_trackers.tune import RunLogCallback

sys.path.insert(0, str(Path(__file__).parent))
import tune_trainables as trainables

ray.cloudpickle.register_pickle_by_value(trainables)

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def log(tmp_path):
    return open_log(tmp_path / "runs.db")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    for name in ("ray.tune", "ray.train", "ray.air"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


def tuner(trainable, space, log, tmp_path, *, callback=True, config=None, **more):
    callbacks = [RunLogCallback(log=log, project=PROJECT)] if callback else []
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(**(config or {})),
        run_config=tune.RunConfig(
            callbacks=callbacks, storage_path=str(tmp_path / "tune"), verbose=0, **more
        ),
    )


def odd(log, tmp_path, modes, **more):
    space = {"mode": tune.grid_search(modes), "folder": str(tmp_path)}
    tuner(trainables.odd, space, log, tmp_path, config={"metric": "loss", "mode": "min"}, **more).fit()
    return {run.assignments["mode"]: run for run in settled(log, len(modes))}


def test_each_trial_is_recorded_as_what_it_was(ray_cluster, log, tmp_path):
    runs = odd(log, tmp_path, ["fine", "raises", "nan", "dies"])
    ends = {mode: (str(run.state), run.failure and run.failure.kind) for mode, run in runs.items()}
    assert ends == {
        "fine": ("completed", None),
        "raises": ("failed", "user_error"),
        "nan": ("failed", "nan"),
        "dies": ("lost", "worker_died"),
    }
    fine, raises = runs["fine"], runs["raises"]
    assert (fine.origin, fine.searcher) == ("grid", "BasicVariantGenerator")
    assert fine.numbers == {"loss": pytest.approx(1 / 3), "parts/first": 2}
    assert [(point.step, point.values["parts/first"]) for point in fine.curve] == [(1, 0), (2, 1), (3, 2)]
    assert fine.metadata["study"].startswith("odd_")
    assert raises.failure.message == "ValueError: no such <b>layer</b>"
    assert "in odd" in raises.failure.traceback


@pytest.mark.slow
def test_retries_are_attempts_of_the_same_run(ray_cluster, log, tmp_path):
    modes = ["raises once", "dies once"]
    runs = odd(log, tmp_path, modes, failure_config=tune.FailureConfig(max_failures=1))
    assert {(str(run.state), run.attempt, len(run.curve)) for run in runs.values()} == {("completed", 2, 3)}


@pytest.mark.slow
def test_any_searcher_and_stops_of_any_scheduler(ray_cluster, log, tmp_path):
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    scheduler = ASHAScheduler(max_t=8, grace_period=1, reduction_factor=2)
    config = {"search_alg": OptunaSearch(seed=1), "scheduler": scheduler, "num_samples": 6}
    space = {"x": tune.uniform(0, 1)}
    config |= {"metric": "loss", "mode": "min", "max_concurrent_trials": 1}
    results = tuner(trainables.curve, space, log, tmp_path, config=config).fit()
    runs = settled(log, 6)
    assert {(run.origin, run.searcher) for run in runs} == {("optuna", "OptunaSearch")}
    told = {result.config["x"]: result.metrics["training_iteration"] for result in results}
    assert {run.assignments["x"]: len(run.curve) for run in runs} == told
    for run in runs:
        is_whole = len(run.curve) == 8
        assert run.state is (State.COMPLETED if is_whole else State.EARLY_STOPPED)
        if not is_whole:
            assert run.end_reason == f"stopped by AsyncHyperBandScheduler at iteration {len(run.curve)}"
    assert State.EARLY_STOPPED in {run.state for run in runs}
    assert "on_trial_result" not in vars(scheduler)


def test_a_callback_by_environment_records_what_a_budget_breaks_off(ray_cluster, log, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TUNE_CALLBACKS", "heliostat_trackers.tune.RunLogCallback")
    monkeypatch.setenv("HELIOSTAT_LOG", log.url)
    monkeypatch.setenv("HELIOSTAT_PROJECT", PROJECT)
    enough = trainables.Enough(3)
    tuner(trainables.slow, {"x": tune.uniform(0, 1)}, log, tmp_path, callback=False, stop=enough).fit()
    (run,) = settled(log, 1)
    assert (run.state, run.origin) == (State.CANCELLED, "random")
    assert run.numbers["loss"] == run.assignments["x"]
    assert run.curve


@pytest.mark.slow
def test_population_based_training_notes_its_changes(ray_cluster, log, tmp_path):
    from ray.tune.schedulers import PopulationBasedTraining

    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=1,
        quantile_fraction=0.5,
        hyperparam_mutations={"rate": tune.uniform(0, 1)},
        synch=True,
    )
    config = {"metric": "score", "mode": "max", "scheduler": scheduler, "num_samples": 2}
    config |= {"reuse_actors": True}
    stop = {"training_iteration": 3}
    tuner(trainables.Growing, {"rate": tune.uniform(0, 1)}, log, tmp_path, config=config, stop=stop).fit()
    runs = settled(log, 2)
    changed = [run for run in runs if run.metadata.get("changes")]
    assert changed
    for run in changed:
        last = run.metadata["changes"][-1]
        assert run.assignments["rate"] == last["rate"]
        assert run.metadata["scheduler"] == "PopulationBasedTraining"


@pytest.mark.slow
def test_trials_of_our_own_experiments_are_left_to_them(ray_cluster, log, tmp_path):
    from heliostat_searchers.tune import HeliostatSearch

    experiment = hs.Experiment(
        "own", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], budget=2,
        searcher="random", log=log, project=PROJECT,
    )  # fmt: skip
    search = HeliostatSearch(experiment, parallel=1)
    tuner(trainables.curve, None, log, tmp_path, config={"search_alg": search, "num_samples": -1}).fit()
    search.close()
    assert [run.experiment for run in settled(log, 2)] == [experiment.id] * 2


def test_a_broken_log_never_reaches_ray_tune(ray_cluster, log, tmp_path, caplog):
    log.close()
    broken = open_log(tmp_path / "folder" / "runs.db")
    url = broken.url
    broken.close()
    (tmp_path / "folder" / "runs.db").write_bytes(b"no database" * 1000)
    callback = RunLogCallback(log=url, project=PROJECT)
    run_config = tune.RunConfig(callbacks=[callback], storage_path=str(tmp_path / "tune"), verbose=0)
    result = tune.Tuner(trainables.curve, param_space={"x": 0.5}, run_config=run_config).fit()
    assert [item.metrics["training_iteration"] for item in result] == [8]
    assert len([record for record in caplog.records if record.name == "heliostat"]) == 1


SCRIPT = """
import os, sys, time
os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_AIR_NEW_OUTPUT="0")
os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "0"
from heliostat import cluster
cluster.connect()
from ray import tune
from heliostat.writes import CreateRun
from heliostat_trackers.tune import RunLogCallback

def train(config):
    for step in range(4):
        while step == 2 and config["x"] == 2 and not os.path.exists(config["gate"]):
            time.sleep(0.05)
        tune.report({"loss": config["x"] + step})

storage, gate, log = sys.argv[1:]
if os.path.exists(gate):
    tuner = tune.Tuner.restore(f"{storage}/kept", train)
else:
    callbacks = [RunLogCallback(log=log, project="adapters")]
    tuner = tune.Tuner(
        train,
        param_space={"x": tune.grid_search([0, 1, 2]), "gate": gate},
        tune_config=tune.TuneConfig(max_concurrent_trials=1),
        run_config=tune.RunConfig(name="kept", storage_path=storage, callbacks=callbacks, verbose=0),
    )
tuner.fit()
"""


def kill_between_snapshots(driver, folder, trials, deadline=60):
    """Kill the driver while the snapshot in the folder is whole: Ray Tune cannot go on with a torn one."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        driver.send_signal(signal.SIGSTOP)
        if saved_trials(folder) == trials:
            driver.kill()
            driver.wait()
            return
        driver.send_signal(signal.SIGCONT)
        time.sleep(0.01)  # another process writes; there is nothing to wait on
    driver.kill()
    pytest.fail(f"Ray Tune did not save {trials} trials")


def saved_trials(folder):
    """How many trials both files of the snapshot know; 0 if one is missing, half-written or older."""
    try:
        (path,) = folder.glob("experiment_state-*.json")
        saved = [json.loads(trial[0]) for trial in json.loads(path.read_text())["trial_data"]]
        (path,) = folder.glob("basic-variant-state-*.json")
        proposed = ray.cloudpickle.loads(path.read_bytes())
    except (ValueError, EOFError, pickle.UnpicklingError):
        return 0
    is_same = proposed["_live_trials"] == {trial["trial_id"] for trial in saved[-1:]}
    return len(saved) if is_same else 0


@pytest.mark.slow
def test_a_restored_experiment_goes_on_in_the_same_runs(log, tmp_path):
    gate = tmp_path / "gate"
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "tune"), str(gate), log.url]
    driver = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = settled(log, 2, is_over=False, deadline=90)
    kill_between_snapshots(driver, tmp_path / "tune" / "kept", trials=3)
    gate.touch()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = settled(log, 3)
    assert [run.id for run in after] == [run.id for run in before]
    assert [run.state for run in after] == [State.COMPLETED] * 3
    assert [run.ended for run in after[:2]] == [run.ended for run in before[:2]]
    assert [point.step for point in after[2].curve] == [1, 2, 3, 4]


def test_a_trial_that_ray_tune_had_not_saved_ends_as_lost(ray_cluster, log, tmp_path):
    tuner(trainables.curve, {"x": 0.5}, log, tmp_path).fit()
    (known,) = settled(log, 1)
    left = {"folder": known.metadata["folder"], "study": known.metadata["study"]}
    forgotten = log.apply(CreateRun(None, {"x": 0.7}, time=1.0, project=PROJECT, metadata=left)).run
    unrelated = log.apply(CreateRun(None, {"x": 0.7}, time=1.0, project=PROJECT)).run
    tune.Tuner.restore(left["folder"], trainables.curve, restart_errored=True).fit()
    assert log.run(forgotten).state is State.LOST
    assert "before Ray Tune had saved" in log.run(forgotten).end_reason
    assert log.run(unrelated).state is State.ACTIVE
    assert log.run(known.id).state is State.COMPLETED
