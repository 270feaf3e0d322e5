"""``heliostat token`` and ``heliostat serve`` on the command line."""

import json
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from heliostat.cli import main
from heliostat.testing.service import Caller


@pytest.fixture
def run(tmp_path):
    log = str(tmp_path / "runs.db")

    def call(*arguments, code=0):
        done = CliRunner().invoke(main, [*arguments, "--log", log])
        assert done.exit_code == code, done.output
        return done.output

    return call


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(run):
    secret = run("token", "create", "--name", "ci", "--permissions", "read", "--expires", "30d").strip()
    assert re.fullmatch(r"hs_[\w\-]{43}", secret)
    made = json.loads(run("token", "create", "--permissions", "admin", "--user", "ada", "--json"))
    listed = json.loads(run("token", "list", "--json"))["data"]
    assert [(item["name"], item["permissions"]) for item in listed] == [("ci", "read"), ("token", "admin")]
    assert listed[0]["expires"] > time.time() + 29 * 86400
    text = run("token", "list")
    assert secret not in text
    assert made["token"] not in text
    run("token", "revoke", "1")
    assert [item["id"] for item in json.loads(run("token", "list", "--json"))["data"]] == ["2"]
    assert "revoked" in run("token", "list", "--all")
    assert "no token has this id" in run("token", "revoke", "9", code=2)
    assert "Write 30d" in run("token", "create", "--expires", "soon", code=2)


def test_it_does_not_open_to_the_network_without_tokens(run):
    output = run("serve", "--no-ray", "--no-auth", "--host", "0.0.0.0", code=2)
    assert "stays on this machine" in output


def test_a_taken_port_is_named(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in run("serve", "--no-ray", "--port", port, code=2)


def test_one_process_serves_and_ends_at_ctrl_c(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    command = [sys.executable, "-m", "heliostat.cli", "serve", "--no-ray", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        said = "".join(process.stdout.readline() for _ in range(4))
        token = re.search(r"token: (\S+)", said).group(1)
        caller = Caller(f"127.0.0.1:{port}", token)
        caller.ok("POST", "/v1/clients/1/projects/demo/training_runs", {})
        # A page that was led to this address under a name of its own is refused, token or not.
        assert caller.call("GET", "/healthz", headers={"Host": "evil.example"}).status == 403
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert (tmp_path / "heliostat.db.token").read_text().strip() == token
    # Another start finds the same token.
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert token in "".join(process.stdout.readline() for _ in range(4))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
