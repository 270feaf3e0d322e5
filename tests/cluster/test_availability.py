"""A sweep on a cluster of hosts survives what AVAILABILITY.md says; the table names tests that are there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "kill" / "cluster.py"


@pytest.mark.ray
@pytest.mark.hosts
@pytest.mark.timeout(900)
@pytest.mark.parametrize("store", ["redis", "rocksdb"])
def test_nothing_is_lost_when_a_cluster_is_taken_apart(store):
    if os.geteuid() or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        pytest.skip("hosts are made of network namespaces, which need root")
    if store == "redis" and shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    command = [sys.executable, str(SCRIPT), "--store", store]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=800)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    found = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert (found["faults"], found["states"]) == ([], ["completed"])
    assert found["open_at_last_blow"] > 0  # each blow met a sweep that was at work
    assert found["heard"]  # the notice reached the trial
    assert found["same_nodes"] == 4  # all that were there before the head node died
    assert any(reason.startswith("the machine") for reason in found["reasons"])  # lost, and no failure


def test_each_row_of_the_table_names_a_test_that_is_there():
    text = (ROOT / "cluster" / "AVAILABILITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert len(rows) > 10
    for row in rows:
        last = row.strip("| ").rpartition("|")[2].strip()
        assert last, row
        for path, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", last):
            source = (ROOT / "tests" / path).read_text(encoding="utf-8")
            assert not name or f"def {name}(" in source, row
        assert "`" in last or last == "not tried", row
