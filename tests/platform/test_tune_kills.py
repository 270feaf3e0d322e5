"""Kill -9 of workers, nodes, the thinking actor and the driver of a sweep on a cluster of several nodes."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "kill" / "tune.py"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sweep_survives_whatever_is_killed():
    command = [sys.executable, str(SCRIPT), "--rounds", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "budget met, none lost, none twice, the history is the log's" in done.stdout
