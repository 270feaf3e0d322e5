"""``heliostat serve`` on Ray Serve: from its start to its end, and through the death of a replica."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from heliostat.registry import open_log
from heliostat.testing.service import Caller

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RUNS = "/v1/clients/1/projects/demo/training_runs"
PATIENCE = 120


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as line:
        return line.getsockname()[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A started service: its process, a caller with its token, its log."""
    folder = tmp_path_factory.mktemp("serve")
    port = free_port()
    command = [sys.executable, "-m", "heliostat.cli", "serve", "--port", str(port)]
    said = folder / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
    wait_for(lambda: "MLflow client" in said.read_text() or process.poll() is not None)
    found = re.search(r"token: (\S+)", said.read_text())
    assert found, said.read_text()
    yield process, Caller(f"127.0.0.1:{port}", found.group(1)), folder / "heliostat.db"
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def members(process):
    return psutil.Process(process.pid).children(recursive=True)


def replicas(process):
    return [
        child for child in members(process) if "ServeReplica" in " ".join(child.cmdline() or [child.name()])
    ]


def test_a36_its_token_and_its_log_are_kept_where_others_cannot_read_them(served):
    _, caller, log = served
    assert log.stat().st_mode & 0o777 == 0o600
    path = log.with_name("heliostat.db.token")
    assert path.read_text().strip() == caller.token
    assert path.stat().st_mode & 0o777 == 0o600
    assert caller.ok("GET", "/v1/tokens/self")["permissions"] == "write"


def test_whichever_replica_answers_the_counters_of_all_are_told(served):
    _, caller, _ = served

    def processes():
        caller.ok("GET", "/v1/tokens/self")
        answer = caller.call("GET", "/metrics")
        assert answer.status == 200
        return set(re.findall(r'heliostat_start_time_seconds{process="([^"]+)"}', answer.content.decode()))

    wait_for(lambda: len(processes()) == 2)
    assert [len(processes()) for _ in range(10)] == [2] * 10


def listening(process):
    """Every address at which a process or one of its children listens."""
    for member in [psutil.Process(process.pid), *members(process)]:
        with suppress(psutil.NoSuchProcess):
            yield from (line.laddr for line in member.net_connections("inet") if line.status == "LISTEN")


def test_a34_beyond_this_machine_nothing_serves_a_stranger(served):
    """Ray's own servers bind all interfaces whatever they are told; without its token they give nothing."""
    process, caller, _ = served
    found = set(listening(process))
    port = int(caller.url.rpartition(":")[2])
    assert {address.ip for address in found if address.port == port} == {"127.0.0.1"}
    beyond = [address for address in found if address.ip not in ("127.0.0.1", "::1")]
    assert beyond
    for address in beyond:
        host = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(address.ip, address.ip)
        with suppress(OSError), socket.create_connection((host, address.port), timeout=10) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert not line.recv(100).startswith(b"HTTP/1.1 2"), address


def test_all_verbs_come_through_the_proxy(served):
    _, caller, _ = served
    run = caller.ok("POST", RUNS, {"name": "first"})
    path = f"/v1/training_runs/{run['id']}"
    skipped = caller.call(
        "MERGE", path, {"values": {"m": {"value": 1}}}, headers={"X-Response-Content": "skip"}
    )
    assert (skipped.status, skipped.content) == (204, b"")
    assert caller.ok("PUT", path, {"favorite": True})["values"]["m"]["value"] == 1
    assert caller.call("GET", path, headers={"Authorization": "Bearer hs_x"}).status == 401
    assert caller.call("MERGE", path, content=b'{"values":{"m":{"value":NaN}}}').status == 400


def test_a_killed_replica_loses_nothing_and_doubles_nothing(served):
    process, caller, log = served
    known = {child.pid for child in replicas(process)}
    assert len(known) == 2
    stop, acknowledged, refused = threading.Event(), {}, []

    def work(worker):
        for number in range(10_000):
            if stop.is_set():
                return
            key = f"{worker}-{number}"
            while True:
                try:
                    answer = caller.call("POST", RUNS, {"name": key}, headers={"Idempotency-Key": key})
                except (OSError, HTTPException) as error:
                    refused.append(repr(error))
                    continue
                if answer.status == 200:
                    acknowledged[key] = answer.json["id"]
                    break
                refused.append(answer.status)

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, worker) for worker in range(4)]
        wait_for(lambda: len(acknowledged) > 40)
        os.kill(min(known), signal.SIGKILL)
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before + 40)
        wait_for(lambda: len({child.pid for child in replicas(process)} - {min(known)}) == 2)
        stop.set()
        for future in done:
            future.result()
    stored = open_log(log)
    names = [run.name for run in stored.runs(project="demo")]
    stored.close()
    assert len(names) == len(set(names))
    assert set(acknowledged) <= set(names)
    assert len(set(acknowledged.values())) == len(acknowledged)


def test_a37_a_replicas_own_port_unpickles_nothing_from_strangers(served, tmp_path):
    """Replicas talk to each other in pickles, on a port that is open to the machine's network."""
    process, _, _ = served
    script = Path(__file__).parent / "clients" / "pickled.py"

    def is_refused(replica):
        command = [sys.executable, str(script), str(replica.pid), str(tmp_path / "canary")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert "OK" not in told["answers"]
        assert told["canary"] is False
        return "UNAUTHENTICATED" in told["answers"]  # one that has just been started has no port yet

    for replica in replicas(process):
        wait_for(lambda replica=replica: is_refused(replica))


@pytest.mark.slow
def test_a_new_version_takes_over_without_losing_a_call(tmp_path):
    script = Path(__file__).parent / "clients" / "upgrade.py"
    command = [sys.executable, str(script), str(tmp_path / "runs.db"), str(free_port())]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    told = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert told["failed"] == []
    assert told["done"] > 20
    assert (told["names"], told["last"]) == (["new", "old"], "new")


def test_at_its_end_it_answers_what_is_under_way_and_leaves_no_process(served):
    process, caller, _ = served
    pids = [child.pid for child in members(process)]
    assert json.loads(caller.call("GET", "/readyz").content) == {"status": "ok"}
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))
