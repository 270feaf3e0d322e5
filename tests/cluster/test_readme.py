"""The README of ``cluster/`` alone leads from two empty machines to a sweep on both."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "cluster" / "README.md").read_text(encoding="utf-8")


@pytest.mark.ray
@pytest.mark.slow
def test_a_newcomer_gets_from_two_machines_to_a_sweep():
    if os.geteuid() or subprocess.call(["unshare", "-n", "true"], stderr=subprocess.DEVNULL):
        pytest.skip("hosts are made of network namespaces, which need root")
    script = ROOT / "tests" / "kill" / "newcomer.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=290
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nodes     2: 10.77.0.1, 10.77.0.2" in done.stdout
    assert "FAIL" not in done.stdout
    assert re.search(r"6 runs on 2 hosts", done.stdout)
    assert "cluster sweep" in done.stdout.rpartition("6 runs on")[2]


def test_every_link_and_file_that_it_names_is_there():
    for name in ("README.md", "AVAILABILITY.md", "SCALING.md"):
        text = (ROOT / "cluster" / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / "cluster" / target).exists(), target
        for target in re.findall(
            r"`((?:launcher|kuberay|slurm|job|docker|base|overlays)/[\w./-]+\.\w+)`", text
        ):
            places = (ROOT / "cluster" / target, ROOT / "cluster" / "kuberay" / target)
            assert any(place.exists() for place in places), target


def test_every_line_of_the_check_is_explained():
    from heliostat.inspection import ClusterFacts, Question, judged

    for finding in judged(ClusterFacts(()), Question()):
        assert f"| {finding.check} |" in README
