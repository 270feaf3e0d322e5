"""Sweeps on a real GPU: shared, too small, measured. Run with ``make test-gpu`` on a machine that has one."""

import pytest
import torch

import heliostat as hs
from heliostat.tracking.capture.gpus import seen
from heliostat.trial import State

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.ray,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no GPU here, or torch is built for processors only"
    ),
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUARTER = {"cpu": 0.5, "gpu": 0.25}
MEBIBYTE = 2**20


def filling(log_url, *sizes):
    """A run for each share of the GPU's memory."""
    return hs.Experiment(
        "filling",
        parameters=[hs.Double("share", grid=sizes)],
        metrics=[
            hs.maximize("speed"),
            hs.guardrail("gpu_peak_memory_mb", at_most=0.15 * whole_mb()),
            hs.store("devices"),
        ],
        searcher="grid",
        budget=len(sizes),
        log=log_url,
    )


def whole_mb():
    return torch.cuda.get_device_properties(0).total_memory / MEBIBYTE


def fill(config):
    """Take a part of the GPU's memory, of which a quarter is the trial's, and work in it."""
    import time

    import torch
    from ray import tune

    torch.cuda.set_per_process_memory_fraction(0.25)
    memory = torch.cuda.get_device_properties(0).total_memory
    kept = torch.ones(int(config["share"] * memory / 4), device="cuda")
    for _ in range(3):
        until = time.monotonic() + 1.0
        count = 0
        while time.monotonic() < until:
            kept.mul_(1.0)
            count += 1
        torch.cuda.synchronize()
        tune.report({"speed": count, "devices": torch.cuda.device_count()})


def test_four_trials_share_a_gpu_and_what_does_not_fit_is_learned(ray_cluster, log_url):
    result = filling(log_url, 0.05, 0.1, 0.2, 0.4).sweep(fill, parallel=4, resources=QUARTER)
    ends = {run.assignments["share"]: run for run in result.runs}
    assert {share: run.failure and run.failure.kind for share, run in ends.items()} == {
        0.05: None,
        0.1: None,
        0.2: None,
        0.4: "gpu_oom",
    }
    assert (ends[0.4].state, ends[0.4].attempt) == (State.FAILED, 1)
    assert {run.numbers["devices"] for run in result.runs if run.failure is None} == {1.0}
    assert {run.assignments["share"] for run in result.best} <= {0.05, 0.1}  # 0.2 breaks the guardrail


def test_name_memory_and_utilization_are_recorded(ray_cluster, log_url):
    (run,) = filling(log_url, 0.1).sweep(fill, parallel=1, resources={"cpu": 1, "gpu": 1}).runs
    assert run.metadata["gpus"] == [gpu.name for gpu in seen()][:1]
    assert 0.1 * whole_mb() <= run.numbers["gpu_peak_memory_mb"] <= 0.12 * whole_mb() + 64
    assert run.metadata["gpu_peak_memory_mb"] == run.numbers["gpu_peak_memory_mb"]
    assert run.metadata["gpu_memory_mb"] == pytest.approx(whole_mb(), rel=0.1)
    assert 0 <= run.metadata["gpu_utilization"] <= 100


def test_nothing_is_recorded_of_a_gpu_that_a_trial_has_not_asked_for(ray_cluster, log_url):
    experiment = hs.Experiment(
        "none", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], budget=1, log=log_url
    )
    (run,) = experiment.sweep(lambda config: {"loss": config["x"]}, parallel=1).runs
    assert not {"gpus", "gpu_peak_memory_mb"} & run.metadata.keys()
