"""Machines that go away: runs are tried again where they were, and nothing is learned from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "kill" / "machines.py"


@pytest.fixture(scope="module")
def ends():
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {way: end for line in lines for way, end in line.items()}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("killed", "the machine, its GPU or the way to it went away"),
        ("announced", "its machine was taken back"),
    ],
)
def test_a_run_whose_machine_is_gone_goes_on_elsewhere_at_its_checkpoint(ends, way, reason):
    end = ends[way]
    assert (end["state"], end["attempt"], end["resumed_at"]) == ("completed", 2, 3)
    assert end["steps"] == [1, 2, 3, 4, 5, 6]
    assert len(end["reasons"]) == 1
    assert end["reasons"][0].startswith(reason)


@pytest.mark.ray
@pytest.mark.slow
def test_what_a_nodes_memory_monitor_ends_was_too_large(ends):
    end = ends["starved"]
    assert (end["state"], end["kind"]) == ("failed", "host_oom")
    assert "running low on memory" in end["message"]


@pytest.mark.ray
@pytest.mark.slow
def test_a_trial_sees_and_asks_for_its_own_gpu_only(ends):
    end = ends["shared"]
    assert (end["states"], end["devices"]) == (["completed"] * 4, [0.0] * 4)
    assert end["asked"].startswith("--id=0 --query-gpu=name")
