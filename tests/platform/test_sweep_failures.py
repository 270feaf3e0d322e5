"""How trials fail on Ray Tune: each cause is found where it is known, and what is no fault is tried again."""

import sys
from pathlib import Path

import pytest
import ray

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.trial import State

sys.path.insert(0, str(Path(__file__).parent))
import failing

ray.cloudpickle.register_pickle_by_value(failing)

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

METRICS = [hs.minimize("loss"), hs.guardrail("size", at_most=0.8), hs.store("peak_memory_mb")]


def one_of_each(log_url, *modes):
    return hs.Experiment(
        "failing",
        parameters=[hs.Categorical("mode", modes)],
        metrics=METRICS,
        searcher="grid",
        budget=len(modes),
        log=log_url,
    )


@pytest.mark.slow
def test_causes_are_told_apart_in_the_worker_and_learned(ray_cluster, log_url):
    modes = ("host_oom", "gpu_oom", "nan", "user_error", "timeout", "exits", "fine")
    result = one_of_each(log_url, *modes).sweep(failing.failing, parallel=2, trial_timeout=12)
    ends = {run.assignments["mode"]: run for run in result.runs}
    kinds = {mode: run.failure and run.failure.kind for mode, run in ends.items()}
    assert kinds == {**{mode: mode for mode in modes}, "exits": "user_error", "fine": None}
    assert {run.state for mode, run in ends.items() if mode != "fine"} == {State.FAILED}
    assert {run.attempt for run in result.runs} == {1}
    assert ends["user_error"].failure.message == "Unreadable: layer 3 cannot have size -1"
    assert ends["user_error"].failure.traceback.splitlines()[1].strip().endswith("in failing")
    assert ends["exits"].failure.message == "SystemExit: 3"
    assert ends["timeout"].failure.message == "took longer than 12 s"
    assert "in hang" in ends["timeout"].failure.traceback
    assert ends["timeout"].numbers["loss"] == 0.5  # what it had shown is kept
    fine = ends["fine"]
    assert fine.numbers["peak_memory_mb"] == pytest.approx(fine.metadata["peak_memory_mb"], rel=0.2)
    assert all(run.metadata["host"] for run in result.runs)


@pytest.mark.slow
def test_classes_are_watched_from_their_setup_on(ray_cluster, log_url):
    result = one_of_each(log_url, "setup", "timeout", "fine").sweep(
        failing.Failing, parallel=2, trial_timeout=12
    )
    ends = {run.assignments["mode"]: run for run in result.runs}
    assert ends["setup"].failure.kind == "user_error"
    assert ends["setup"].failure.message == "Unreadable: layer 1 cannot have size 0"
    assert ends["setup"].failure.traceback.splitlines()[1].strip().endswith("in setup")
    assert ends["timeout"].failure.kind == "timeout"
    assert ends["fine"].state is State.COMPLETED


@pytest.mark.slow
def test_a_run_whose_worker_died_goes_on_at_its_checkpoint(ray_cluster, log_url, tmp_path):
    where = str(tmp_path)

    def resuming(config):
        return failing.resuming({**config, "folder": where})

    experiment = hs.Experiment(
        "resuming", parameters=[hs.Double("x", 0, 1)], metrics=METRICS, budget=1, log=log_url
    )
    (run,) = experiment.sweep(resuming, parallel=1).runs
    assert (run.state, run.attempt, run.metadata["resumed_at"]) == (State.COMPLETED, 2, 4)
    assert [point.step for point in run.curve] == [1, 2, 3, 4, 5, 6]
    assert [point.values["loss"] for point in run.curve] == [1 / step for step in range(1, 7)]


@pytest.mark.parametrize("seconds", [0, -1, "long", float("nan")])
def test_a_time_limit_is_a_number_of_seconds(log_url, seconds):
    with pytest.raises(InvalidValue, match="trial_timeout"):
        one_of_each(log_url, "fine", "nan").sweep(failing.failing, trial_timeout=seconds)
