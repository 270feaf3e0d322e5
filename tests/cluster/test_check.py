"""``heliostat cluster check`` on clusters of hosts with faults planted in them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliostat.cli import main

SCRIPT = Path(__file__).parents[1] / "kill" / "faulty_cluster.py"


@pytest.fixture(scope="module")
def found():
    if os.geteuid() or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        pytest.skip("hosts are made of network namespaces, which need root")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=680
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {state: facts for line in lines for state, facts in line.items()}


@pytest.mark.ray
@pytest.mark.hosts
@pytest.mark.timeout(700)  # whichever test comes first waits for all states of the cluster
def test_a_sound_cluster_passes(found):
    assert found["sound"]["code"] == 0
    assert {facts[0] for name, facts in found["sound"].items() if name != "code"} == {"ok", "skip"}


@pytest.mark.ray
@pytest.mark.hosts
@pytest.mark.timeout(700)
@pytest.mark.parametrize(
    ("state", "check", "text"),
    [
        ("few", "nodes", "3 of 4 nodes are there"),
        ("faulty", "versions", "10.77.0.2 has heliostat 9.9.9, most have 0.1.0"),
        ("faulty", "clocks", "10.77.0.2 is 3.6e+03 s ahead"),
        ("faulty", "gpus", "10.77.0.3 declares 1 and its driver shows 0"),
        ("faulty", "storage", "10.77.0.3 does not see what 10.77.0.1, 10.77.0.2 wrote"),
        ("unreachable", "log", "from every node: StorageError"),
        ("unreachable", "service", "from every node: URLError"),
        ("open", "auth", "Ray asks for no token"),
        ("open", "ports", "dashboard 0.0.0.0:8265 of 10.77.0.1"),
    ],
)
def test_a_planted_fault_is_found_on_its_node(found, state, check, text):
    assert found[state]["code"] == 1
    status, detail = found[state][check]
    assert (status, text in detail) == ("FAIL", True), detail
    assert "secret" not in detail


@pytest.mark.ray
@pytest.mark.hosts
@pytest.mark.timeout(700)
def test_who_has_no_token_is_told_so_in_one_line(found):
    assert found["stranger"]["code"] == 2
    assert "Traceback" not in found["stranger"]["error"]
    assert "RAY_AUTH_MODE" in found["stranger"]["error"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:8265"])
def test_where_no_cluster_runs_the_command_says_what_to_do(address):
    done = CliRunner().invoke(main, ["cluster", "check", "--address", address])
    assert done.exit_code == 2
    assert "no Ray cluster answers" in done.stderr
