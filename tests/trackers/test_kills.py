"""Kill -9 of writers and of the database server: what was acknowledged is there, once, and all is whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from heliostat.testing.postgres import server_programs

SCRIPTS = Path(__file__).parents[1] / "kill"


def play(script: str, rounds: int) -> str:
    command = [sys.executable, str(SCRIPTS / script), "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_writers_of_a_file() -> None:
    assert play("sqlite.py", 8).count("none lost, none twice, the log is whole") == 2


@pytest.mark.slow
@pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
def test_killed_writers_and_servers_of_postgresql() -> None:
    assert play("postgres.py", 6).count("none lost, none twice, the log is whole") == 2
