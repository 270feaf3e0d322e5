"""Optuna's trials are recorded as they happen, and Optuna does not notice."""

import copy
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import pytest

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
from heliostat_trackers.adapters import leaving
from heliostat_trackers.adapters.optuna import track

pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    # SQLAlchemy pools of Optuna's own storages, left to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
optuna.logging.set_verbosity(optuna.logging.CRITICAL)

STATES = {"COMPLETE": State.COMPLETED, "FAIL": State.FAILED, "PRUNED": State.EARLY_STOPPED}


@pytest.fixture
def log(tmp_path):
    return open_log(tmp_path / "runs.db")


def recorded(log, study, **more):
    return track(study, log, project=PROJECT, **more)


def seeded(storage=None, **more):
    return optuna.create_study(storage=storage, sampler=optuna.samplers.TPESampler(seed=1), **more)


def bowl(trial):
    return (trial.suggest_float("x", 0, 1) - 0.3) ** 2


class TestOptuna(AdapterContract):
    adapter, origin, searcher = "optuna", "optuna", "TPESampler"

    def search(self, tracked, during):
        study = seeded()
        study.set_metric_names(["loss"])
        study = tracked(study)

        def objective(trial):
            x = trial.suggest_float("x", 0, 1)
            during(trial.number)
            if trial.number == FAILING:
                raise ValueError(REASON)
            return (x - 0.3) ** 2

        study.optimize(objective, n_trials=TRIALS, catch=(ValueError,))
        trials = tuple(
            Told(
                trial.params,
                {"loss": trial.value} if trial.value is not None else {},
                STATES[trial.state.name],
            )
            for trial in study.trials
        )
        return Account(trials, (study.best_trial.number, study.best_value, study.best_params))


def test_reports_are_the_curve_and_pruning_is_an_early_stop(log):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        for step in range(4):
            trial.report(x + step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x

    study = recorded(log, seeded(pruner=optuna.pruners.MedianPruner(n_startup_trials=2)))
    study.optimize(objective, n_trials=8)
    runs = settled(log, 8)
    assert Counter(run.state for run in runs) == Counter(STATES[trial.state.name] for trial in study.trials)
    assert State.EARLY_STOPPED in {run.state for run in runs}
    for run, trial in zip(runs, study.trials, strict=True):
        assert {point.step: point.values["value"] for point in run.curve} == trial.intermediate_values
        if run.state is State.EARLY_STOPPED:
            assert run.end_reason == "pruned by MedianPruner"
            assert run.numbers == {"value": trial.value}


def test_what_is_no_objective_value_fails_with_its_reason(log):
    study = recorded(log, seeded())
    study.optimize(lambda trial: [float("nan"), None][trial.number], n_trials=2)
    told = study.ask()
    study.tell(told, state=optuna.trial.TrialState.FAIL)
    runs = settled(log, 3)
    assert [run.failure.message for run in runs] == [
        "The value nan is not acceptable",
        "The value None could not be cast to float.",
        "the trial was told to have failed",
    ]


def test_ctrl_c_cancels(log):
    def objective(trial):
        raise KeyboardInterrupt

    study = recorded(log, seeded())
    with pytest.raises(KeyboardInterrupt):
        study.optimize(objective, n_trials=3)
    assert [run.state for run in settled(log, 1)] == [State.CANCELLED]


def test_ask_and_tell_queue_and_added_trials(log):
    study = seeded()
    study.enqueue_trial({"x": 0.25}, user_attrs={"by": "Ada"})
    study = recorded(log, study)
    study.enqueue_trial({"x": 0.75})
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, bowl(trial))
    study.add_trial(optuna.create_trial(value=0.5))
    runs = settled(log, 4)
    assert [run.assignments.get("x") for run in runs[:2]] == [0.25, 0.75]
    assert runs[0].metadata["by"] == "Ada"
    assert [run.metadata.get("enqueued", False) for run in runs] == [True, True, False, False]
    assert runs[3].numbers == {"value": 0.5}


def test_a_trial_that_was_asked_for_before_is_taken_over(log):
    study = seeded()
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(0.5, 1)
    study = recorded(log, study)
    study.tell(trial, 0.125)
    (run,) = settled(log, 1)
    assert dict(run.assignments) == trial.params
    assert run.numbers == {"value": 0.125}
    assert [point.step for point in run.curve] == [1]


def test_several_objectives_have_their_names(log):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return x, 1 - x

    plain = recorded(log, seeded(directions=["minimize", "maximize"]))
    plain.optimize(objective, n_trials=1)
    named = recorded(log, seeded(directions=["minimize", "maximize"]))
    named.set_metric_names(["loss", "accuracy"])
    named.optimize(objective, n_trials=1)
    first, second = settled(log, 2)
    assert set(first.numbers) == {"value_0", "value_1"}
    assert set(second.numbers) == {"loss", "accuracy"}


def test_threads_and_several_studies_keep_apart(log):
    storage = optuna.storages.InMemoryStorage()
    studies = [recorded(log, seeded(storage, study_name=name)) for name in ("a", "b")]
    for study in studies:
        study.optimize(bowl, n_trials=10, n_jobs=3)
    runs = settled(log, 20)
    for study in studies:
        mine = {run.metadata["trial"]: run for run in runs if run.metadata["study"] == study.study_name}
        assert {number: run.numbers["value"] for number, run in mine.items()} == {
            trial.number: trial.value for trial in study.trials
        }


def test_choices_keep_their_types(log):
    def objective(trial):
        trial.suggest_categorical("depth", [None])
        trial.suggest_categorical("fast", [True])
        trial.suggest_int("width", 5, 5)
        return 0.0

    recorded(log, seeded()).optimize(objective, n_trials=1)
    (run,) = settled(log, 1)
    assert dict(run.assignments) == {"depth": "None", "fast": True, "width": 5}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda study: pickle.loads(pickle.dumps(study))])
def test_copies_go_on_as_studies_of_the_same_name(log, copied):
    study = recorded(log, seeded())
    study.optimize(bowl, n_trials=2)
    other = copied(study)
    other.optimize(bowl, n_trials=2)
    study.optimize(bowl, n_trials=1)
    runs = settled(log, 5)
    assert sorted(run.metadata["trial"] for run in runs) == [0, 1, 2, 2, 3]
    told = [trial.value for trial in (*other.trials, study.trials[2])]
    assert sorted(run.numbers["value"] for run in runs) == sorted(told)


def storages(tmp_path):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return {
        "rdb": f"sqlite:///{tmp_path / 'optuna.db'}",
        "journal": JournalStorage(JournalFileBackend(str(tmp_path / "optuna.log"))),
    }


@pytest.mark.parametrize("kind", ["rdb", "journal"])
def test_a_stored_study_is_recorded_once_however_often_it_is_opened(log, tmp_path, kind):
    for _ in range(2):
        storage = storages(tmp_path)[kind]
        study = recorded(log, seeded(storage, study_name="kept", load_if_exists=True))
        study.optimize(bowl, n_trials=2)
        settled(log, len(study.trials))
    untracked = optuna.load_study(study_name="kept", storage=storages(tmp_path)[kind])
    untracked.optimize(bowl, n_trials=1)
    before = log.runs(project=PROJECT)
    assert len(before) == 4
    recorded(log, study)  # again: what others did is caught up with
    runs = settled(log, 5)
    assert [run.values for run in runs[:4]] == [run.values for run in before]
    assert [run.numbers["value"] for run in runs] == [trial.value for trial in untracked.trials]


def test_a_study_in_the_place_of_a_deleted_one_is_another(log, tmp_path):
    for _ in range(2):
        url = storages(tmp_path)["rdb"]
        recorded(log, seeded(url, study_name="same")).optimize(bowl, n_trials=2)
        settled(log, 0 if not log.runs() else len(log.runs()))
        optuna.delete_study(study_name="same", storage=url)
    assert len(settled(log, 4)) == 4


def work(url, log_url):
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.load_study(study_name="shared", storage=url)
    track(study, open_log(log_url), project=PROJECT).optimize(bowl, n_trials=4)


def test_processes_that_share_a_study_record_each_trial_once(log, tmp_path):
    url = storages(tmp_path)["rdb"]
    study = recorded(log, seeded(url, study_name="shared"))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=work, args=(url, log.url)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    recorded(log, study)
    runs = settled(log, 8)
    assert sorted(run.metadata["trial"] for run in runs) == list(range(8))
    told = {trial.number: (trial.params, trial.value) for trial in study.trials}
    assert {run.metadata["trial"]: (dict(run.assignments), run.numbers["value"]) for run in runs} == told


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_a_trial_without_heartbeat_is_lost(log, tmp_path):
    storage = optuna.storages.RDBStorage(
        f"sqlite:///{tmp_path / 'optuna.db'}", heartbeat_interval=1, grace_period=1
    )
    study = recorded(log, seeded(storage, study_name="beats"))
    abandoned = threading.Thread(target=lambda: storage.record_heartbeat(study.ask()._trial_id))
    abandoned.start()
    abandoned.join()
    end = time.monotonic() + 60
    while not storage._get_stale_trial_ids(study._study_id) and time.monotonic() < end:
        time.sleep(0.1)  # a database's clock: there is nothing to wait on
    study.optimize(bowl, n_trials=1)
    runs = settled(log, 2)
    assert [run.state for run in runs] == [State.LOST, State.COMPLETED]
    assert runs[0].end_reason == "its process sent no more heartbeats"


SCRIPT = """
import optuna, sys
from heliostat.registry import open_log
from heliostat_trackers.adapters.optuna import track
study = track(optuna.create_study(study_name="script"), open_log(sys.argv[1]), project="adapters")

def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    print(trial.number, flush=True)
    sys.stdin.readline()
    return x

study.optimize(objective, n_trials=3)
open_trial = study.ask()
"""


def test_the_log_of_a_running_script_fills_live_and_its_end_ends_all(log, tmp_path):
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, log.url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for number in range(3):
        assert script.stdout.readline().strip() == str(number)
        runs = settled(log, number, is_over=False)
        assert [run.state for run in runs] == [State.COMPLETED] * number + [State.ACTIVE]
        script.stdin.write("go on\n")
        script.stdin.flush()
    _, err = script.communicate(timeout=60)
    assert script.returncode == 0, err
    runs = settled(log, 4)
    assert [str(run.state) for run in runs] == ["completed"] * 3 + ["cancelled"]
    assert runs[3].end_reason == "the program ended before the trial did"


def test_a_flush_makes_everything_durable(log):
    recorded(log, seeded()).optimize(bowl, n_trials=3)
    assert leaving.flush()
    assert [run.state for run in log.runs(project=PROJECT)] == [State.COMPLETED] * 3
