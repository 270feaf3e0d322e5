"""What a worker finds out about itself, without Ray and without a GPU."""

import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
import torch

from heliostat.failures import TimedOut
from heliostat.tracking.capture.gpus import Gpu, read, seen
from heliostat_trackers.worker.failure import TrialFailure, failure
from heliostat_trackers.worker.limit import TimeLimit
from heliostat_trackers.worker.usage import Usage

TOLD = """NVIDIA H100 80GB HBM3, 81559, 20310, 97
NVIDIA A100-SXM4-40GB MIG 1g.5gb, [N/A], [N/A], [N/A]
"""


def test_lines_of_the_drivers_program_are_read():
    assert read(TOLD) == (
        Gpu("NVIDIA H100 80GB HBM3", 81559.0, 20310.0, 97.0),
        Gpu("NVIDIA A100-SXM4-40GB MIG 1g.5gb"),
    )
    assert read("No devices were found\n") == ()


def a_program(folder, monkeypatch, lines):
    """In the place of the driver's, which is not on this machine: it notes its arguments and prints lines."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {folder}/asked\ncat <<'END'\n{lines}END\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_only_the_trials_own_gpus_are_watched(tmp_path, monkeypatch):
    a_program(tmp_path, monkeypatch, "NVIDIA L4, 23034, 512, 40\n")
    usage = Usage(["1", "GPU-7d2c"], is_shared=False)
    wait_for(lambda: "gpus" in usage.facts())
    usage.stop()
    facts = usage.facts()
    assert facts.pop("peak_memory_mb") > 10
    assert facts == {
        "gpus": ["NVIDIA L4"],
        "gpu_memory_mb": 23034.0,
        "gpu_peak_memory_mb": 512.0,
        "gpu_utilization": 40.0,
    }
    assert (tmp_path / "asked").read_text().startswith("--id=1,GPU-7d2c --query-gpu=")


def test_memory_of_a_shared_gpu_is_not_taken_for_the_trials(tmp_path, monkeypatch):
    a_program(tmp_path, monkeypatch, "NVIDIA L4, 23034, 512, 40\n")
    usage = Usage(["0"], is_shared=True)
    wait_for(lambda: "gpus" in usage.facts())
    usage.stop()
    assert "gpu_peak_memory_mb" not in usage.facts()


def test_without_a_gpu_only_the_host_is_told_of(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert seen() == ()
    assert set(Usage([], is_shared=False).facts()) == {"peak_memory_mb"}


def test_the_peak_of_memory_is_the_trials_own():
    before = Usage([], is_shared=False)
    large = bytearray(b"x") * (200 * 2**20)
    with_large = before.facts()["peak_memory_mb"]
    del large
    after = Usage([], is_shared=False).facts()["peak_memory_mb"]
    assert with_large - after > 150


def test_a_failure_survives_what_the_users_exception_does_not():
    class Local(Exception):
        def __init__(self, layer, size):
            super().__init__(f"layer {layer} has size {size}")

    try:
        raise Local(1, 2)
    except Local as error:
        made = failure(error, {"host": "a"})
    there = pickle.loads(pickle.dumps(made))
    assert isinstance(there, TrialFailure)
    assert (there.kind, there.message, there.facts) == (
        "user_error",
        "Local: layer 1 has size 2",
        {"host": "a"},
    )
    assert "in test_a_failure_survives" in there.trace
    assert failure(torch.cuda.OutOfMemoryError("CUDA out of memory"), {}).kind == "gpu_oom"


def test_a_limit_interrupts_also_code_that_catches_everything():
    before = signal.getsignal(signal.SIGALRM)
    caught = 0
    with pytest.raises(TimedOut, match=r"longer than 0\.2 s"), TimeLimit(0.2).enforced():
        while caught < 2:
            try:
                threading.Event().wait(30)
            except TimedOut:
                caught += 1
        threading.Event().wait(30)
    assert caught == 2
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_limit_counts_from_its_beginning():
    limit = TimeLimit(0.05)
    with limit.enforced():
        pass
    wait_for(lambda: time.monotonic() >= limit._ends)
    with pytest.raises(TimedOut), limit.enforced():
        threading.Event().wait(30)


def test_a_process_that_hangs_in_a_library_ends_itself():
    code = (
        "from heliostat_trackers.worker import limit\n"
        "limit.GRACE = 0.5\n"
        "with limit.TimeLimit(0.2).enforced():\n"
        "    sum(range(10**13))  # with the interpreter's lock in its hands, for days\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
