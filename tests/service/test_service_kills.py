"""Kill -9 of a service's parts under load; see tests/kill/service.py."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "kill" / "service.py"


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
def test_what_is_killed_comes_back_and_nothing_is_lost_or_twice():
    command = [sys.executable, str(SCRIPT), "--rounds", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=880)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none twice, the log is whole" in done.stdout
