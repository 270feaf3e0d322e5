"""Kill -9 under load: what was acknowledged is in the log, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from heliostat.registry import open_log

sys.path.insert(0, str(Path(__file__).parents[1] / "kill"))
from journal import STEPS, Journal, Note, faults

SCRIPT = Path(__file__).parents[1] / "kill" / "head.py"


@pytest.mark.ray
@pytest.mark.slow
def test_killing_worker_actor_and_driver_loses_nothing():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rounds", "3"],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none twice" in done.stdout
    assert "integrity_check: ok" in done.stdout


def test_the_comparison_sees_what_is_lost(log_url, tmp_path):
    from heliostat.trial import Checkpoint
    from heliostat.writes import CreateRun, LogCheckpoints

    log = open_log(log_url)
    run = log.apply(CreateRun(None, {}, name="kept", time=1.0)).run
    log.apply(LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}),)))
    journal = Journal(tmp_path / "journals", "writer")
    journal.add(Note("create", "kept"), Note("checkpoint", "kept", 1))
    assert faults(log, tmp_path / "journals") == []
    journal.add(Note("create", "gone"), Note("checkpoint", "kept", 2), Note("finish", "kept"))
    assert faults(log, tmp_path / "journals") == [
        "acknowledged and lost: run gone (create)",
        "acknowledged and lost: step 2 of run kept",
        "acknowledged and lost: the end of run kept",
    ]
    for _ in range(STEPS):
        log.apply(LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}),)))
    log.apply(CreateRun(None, {}, name="kept", time=1.0))
    assert {"run kept is there twice", f"LogCheckpoints of run {run} was applied {STEPS + 1} times"} <= set(
        faults(log, tmp_path / "journals")
    )
    log.close()
