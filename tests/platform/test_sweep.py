"""Sweeps on Ray Tune: every trial is recorded as what it was, and a sweep survives its driver."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import ray

import heliostat as hs
from heliostat.errors import InvalidValue
from heliostat.trial import State

sys.path.insert(0, str(Path(__file__).parent))
import trainables

# Workers do not have this folder on their path, so its functions travel whole.
ray.cloudpickle.register_pickle_by_value(trainables)

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

METRICS = [hs.minimize("loss"), hs.guardrail("size", at_most=0.8)]
MODES = ("raises", "nan", "text", "forgets", "nothing", "returns", "reports")


def experiment(log_url, *, budget, searcher="random", parameters=(), **more):
    space = [hs.Double("x", 0, 1), *parameters]
    return hs.Experiment(
        "bowl", parameters=space, metrics=METRICS, budget=budget, searcher=searcher, log=log_url, **more
    )


def test_a_sweep_meets_its_budget_and_finds_the_bowl(ray_cluster, log_url):
    result = experiment(log_url, budget=12, searcher="bayesian").sweep(trainables.bowl, parallel=2)
    assert result.is_complete
    assert [run.number for run in result.runs] == list(range(1, 13))
    assert {run.state for run in result.runs} == {State.COMPLETED}
    assert all(run.numbers["loss"] == pytest.approx((run.assignments["x"] - 0.3) ** 2) for run in result.runs)
    assert result.best[0].numbers["loss"] < 1e-3
    assert all(run.why and run.started and run.ended and len(run.curve) == 1 for run in result.runs)


def test_each_misbehaving_trial_is_recorded_as_what_it_is_and_the_report_shows_it(
    ray_cluster, log_url, tmp_path
):
    modes = hs.Categorical("mode", MODES)
    grid = [hs.Double("x", grid=[0.25, 0.5]), modes]
    declared = hs.Experiment("odd", parameters=grid, metrics=METRICS, searcher="grid", budget=14, log=log_url)
    result = declared.sweep(trainables.odd, parallel=2)
    ends = {run.assignments["mode"]: run for run in result.runs}
    assert len(result.runs) == 14
    kinds = {mode: (str(run.state), run.failure and run.failure.kind) for mode, run in ends.items()}
    assert kinds == {
        "raises": ("failed", "user_error"),
        "nan": ("failed", "nan"),
        "text": ("failed", "bad_value"),
        "forgets": ("failed", "missing_metric"),
        "nothing": ("failed", "missing_metric"),
        "returns": ("completed", None),
        "reports": ("completed", None),
    }
    assert ends["raises"].failure.message == "ValueError: no such <b>layer</b>"
    assert "in odd" in ends["raises"].failure.traceback
    assert ends["text"].failure.message == "metric 'loss' must be a number, got 'low'"
    assert ends["forgets"].numbers == {"size": 0.1}
    page = declared.report(tmp_path / "report.html").read_text()
    for text in ("no such &lt;b&gt;layer&lt;/b&gt;", "was never reported", "must be a number", "is nan"):
        assert text in page


@pytest.mark.slow
def test_early_stopping_is_told_from_finishing(ray_cluster, log_url):
    rule = hs.EarlyStopping("loss", 9, grace=1, reduction=3, min_runs=4)
    result = experiment(log_url, budget=12).sweep(trainables.curve, parallel=1, early_stopping=rule)
    ends = Counter(str(run.state) for run in result.runs)
    assert set(ends) == {"completed", "early_stopped"}
    assert {run.state for run in result.runs[:4]} == {State.COMPLETED}
    for run in result.runs:
        steps = [point.step for point in run.curve]
        assert steps == list(range(1, len(steps) + 1))
        assert (len(steps) == 9) == (run.state is State.COMPLETED)
        if run.state is State.EARLY_STOPPED:
            assert "was not among the best 1/3" in run.end_reason


@pytest.mark.slow
def test_a_run_whose_worker_dies_is_tried_again_as_the_same_run(ray_cluster, log_url, tmp_path):
    where = str(tmp_path)

    def dies_once(config):
        return trainables.dies_once({**config, "folder": where})

    result = experiment(log_url, budget=3).sweep(dies_once, parallel=2)
    assert [(run.number, str(run.state), run.attempt) for run in result.runs] == [
        (number, "completed", 2) for number in (1, 2, 3)
    ]


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_fails_after_three_attempts(ray_cluster, log_url):
    result = experiment(log_url, budget=1).sweep(trainables.always_dies, parallel=1)
    assert [(str(run.state), run.failure.kind, run.attempt) for run in result.runs] == [
        ("failed", "worker_died", 3)
    ]


@pytest.mark.slow
def test_a_finite_space_ends_the_sweep_when_it_is_exhausted(ray_cluster, log_url):
    few = hs.Experiment(
        "few", parameters=[hs.Double("x", grid=[0.1, 0.2, 0.3])], metrics=METRICS, budget=50, log=log_url
    )
    result = few.sweep(trainables.bowl, parallel=2)
    assert sorted(run.assignments["x"] for run in result.runs) == [0.1, 0.2, 0.3]
    assert result.is_complete


def test_resources_that_no_node_has_are_refused_at_once(ray_cluster, log_url):
    with pytest.raises(InvalidValue, match=r"resources.cpu: no node .* got 4096"):
        experiment(log_url, budget=3).sweep(trainables.bowl, resources={"cpu": 4096})


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import heliostat as hs, ray, trainables
ray.cloudpickle.register_pickle_by_value(trainables)
log = hs.open_log({url!r})
known = log.experiments()
if known:
    experiment = hs.Experiment.open(known[0].id, log)
else:
    metrics = [hs.minimize("loss"), hs.guardrail("size", at_most=0.8)]
    experiment = hs.Experiment(
        "bowl", parameters=[hs.Double("x", 0, 1)], metrics=metrics, budget={budget},
        searcher="random", log=log,
    )
result = experiment.sweep(trainables.slow_bowl, parallel=2)
print("complete" if result.is_complete else "stopped", flush=True)
"""


def start(log_url, budget=14):
    text = SCRIPT.format(folder=str(Path(__file__).parent), url=log_url, budget=budget)
    return subprocess.Popen(
        [sys.executable, "-c", text],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_ended_runs(log_url, driver, count, deadline=120):
    end = time.monotonic() + deadline
    path = Path(log_url.removeprefix("sqlite:///"))
    while time.monotonic() < end and driver.poll() is None:
        if path.exists():
            log = hs.open_log(log_url)
            runs = log.runs() if log.experiments() else []
            log.close()
            if sum(not run.state.is_open for run in runs) >= count:
                return
        time.sleep(0.1)  # polling another process: there is nothing to wait on
    pytest.fail(f"the sweep never ended {count} runs: {driver.communicate(timeout=10)}")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ctrl-c", "kill -9"])
def test_a_sweep_goes_on_where_its_log_ends(log_url, how):
    driver = start(log_url)
    wait_for_ended_runs(log_url, driver, 4)
    if how == "ctrl-c":
        os.killpg(driver.pid, signal.SIGINT)  # a terminal sends it to the whole group, workers included
    else:
        os.kill(driver.pid, signal.SIGKILL)
    out, err = driver.communicate(timeout=120)
    if how == "ctrl-c":
        assert out.strip().endswith("stopped"), err
    log = hs.open_log(log_url)
    before = {run.id: run for run in log.runs() if run.state is State.COMPLETED}
    assert len(before) >= 4
    assert all(run.failure is None for run in log.runs())
    log.close()

    second = start(log_url)
    out, err = second.communicate(timeout=240)
    assert out.strip().endswith("complete"), err
    runs = hs.open_log(log_url).runs()
    counted = [run for run in runs if run.state.uses_budget]
    assert len(counted) == 14
    assert {run.state for run in counted} == {State.COMPLETED}
    assert len({run.assignments["x"] for run in counted}) == 14
    after = {run.id: run for run in runs}
    for id, run in before.items():  # nothing that had ended was touched
        assert (after[id].values, after[id].ended, after[id].attempt) == (run.values, run.ended, run.attempt)
