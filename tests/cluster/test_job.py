"""The job example goes through ``ray job submit`` with a runtime environment; again, it is the same job."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import heliostat as hs

ROOT = Path(__file__).parents[2]
SUBMIT = ROOT / "cluster" / "job" / "submit.sh"
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def head(tmp_path):
    """The environment of a client of a head node with a token, with a `ray` on the path."""
    program = tmp_path / "bin" / "ray"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ray.scripts.scripts "$@"\n')
    program.chmod(0o700)
    dashboard = free_port()
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "PATH": f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_raylet_start_wait_time_s": "100",
    }
    command = [*RAY, "start", "--head", "--block", f"--port={free_port()}", f"--dashboard-port={dashboard}"]
    options = ["--num-cpus=2", "--node-ip-address=127.0.0.1", "--disable-usage-stats"]
    client = {
        **environment,
        "RAY_ADDRESS": f"http://127.0.0.1:{dashboard}",
        "HELIOSTAT_LOG": f"ray://{tmp_path / 'runs.db'}",
    }
    # Sockets lie in the temporary folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="hs-", ignore_cleanup_errors=True) as short:
        with (tmp_path / "head.txt").open("wb") as output:
            process = subprocess.Popen(
                [*command, *options, f"--temp-dir={short}"], stdout=output, stderr=output, env=environment
            )
        try:
            await_head(client, process, tmp_path / "head.txt")
            yield client
        finally:
            process.terminate()
            process.wait(60)


def await_head(client, process, output):
    """Until a job goes through: the dashboard answers before the agent that starts jobs is known to it."""
    until = time.monotonic() + 120
    while True:
        asked = subprocess.run(
            [*RAY, "job", "submit", "--", "true"], capture_output=True, text=True, check=False, env=client
        )
        if asked.returncode == 0:
            return
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < until, asked.stdout + asked.stderr + output.read_text()


@pytest.mark.ray
@pytest.mark.hosts
def test_the_job_runs_through_submit_and_again_is_the_same_job(head, tmp_path):
    storage = str(tmp_path / "storage")
    command = [str(SUBMIT), "job-1", "--budget", "4", "--parallel", "2", "--storage", storage]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=head, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 runs on 1 hosts" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=head, timeout=60)
    assert "4 runs on 1 hosts" in again.stdout
    runs = hs.open_log(tmp_path / "runs.db").runs(curves=True)
    assert [(str(run.state), len(run.curve)) for run in runs] == [("completed", 5)] * 4


@pytest.mark.ray
@pytest.mark.slow
def test_a35_the_dashboard_answers_nobody_without_the_token(head):
    """The settings of every file of ``cluster/`` that starts Ray."""
    for path in ("/api/version", "/api/jobs/", "/nodes?view=summary", "/api/v0/actors"):
        assert answer(head, path, "") == 401, path
        assert answer(head, path, "0" * 64) in (401, 403), path
    assert answer(head, "/api/version", head["RAY_AUTH_TOKEN"]) == 200


def answer(head, path, token):
    """The status of a reply."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{head['RAY_ADDRESS']}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
