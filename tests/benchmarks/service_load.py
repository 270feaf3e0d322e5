"""Clients of the service's benchmark, and the processor time of what they call."""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

HOST = Path(__file__).with_name("service_host.py")
PARTS = {
    "ray::ProxyActor": "proxy",
    "haproxy": "proxy",
    "ray::ServeReplica": "replica",
    "ray::ExperimentActor": "actor",
}

Make = Callable[[int], tuple[str, str, Any]]
"""From a number to the method, path and body of a call."""


class Host:
    """A serving process and all that it started.

    Args:
        kind: ``serve`` or ``uvicorn``.
        log: Address of the run log.
        variables: More of the environment.
    """

    def __init__(self, kind: str, log: str, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self._process = subprocess.Popen(
            [sys.executable, str(HOST), kind, str(self.port), log],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONWARNINGS": "ignore", **variables},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line == b"serving\n":
                return
        raise RuntimeError(f"{kind} did not start")

    def seconds(self) -> dict[str, float]:
        """Processor seconds so far by part."""
        found = {"proxy": 0.0, "replica": 0.0, "actor": 0.0, "rest": 0.0}
        own = psutil.Process(self._process.pid)
        for process in [own, *own.children(recursive=True)]:
            try:
                times, title = process.cpu_times(), " ".join(process.cmdline()) or process.name()
            except psutil.NoSuchProcess:
                continue
            part = next((part for name, part in PARTS.items() if name in title), "rest")
            found[part] += times.user + times.system
        return found

    def close(self) -> None:
        """End it and all that it started."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def call(port: int, method: str, path: str, body: Any = None) -> Any:
    """One call that must succeed."""
    with _Line(port) as line:
        return line.call(method, path, body)


def measure(host: Host, make: Make, clients: int, seconds: float) -> dict[str, Any]:
    """Calls for so many seconds: their latencies in ms, and the server's processor time per call in ms."""
    waits: list[list[float]] = [[] for _ in range(clients)]
    errors: list[str] = []
    begin, until = threading.Barrier(clients + 1), [0.0]

    def work(place: int) -> None:
        with _Line(host.port) as line:
            number = place
            begin.wait()
            while time.monotonic() < until[0]:
                method, path, body = make(number)
                began = time.perf_counter()
                try:
                    line.call(method, path, body)
                except (OSError, RuntimeError, http.client.HTTPException) as error:
                    errors.append(str(error)[:200])
                    line.close()
                waits[place].append(time.perf_counter() - began)
                number += clients

    threads = [threading.Thread(target=work, args=(place,)) for place in range(clients)]
    for thread in threads:
        thread.start()
    before = host.seconds()
    until[0] = time.monotonic() + seconds
    begin.wait()
    for thread in threads:
        thread.join()
    after = host.seconds()
    found = sorted(1000 * wait for waited in waits for wait in waited)
    spent = {part: 1000 * (after[part] - before[part]) / len(found) for part in after}
    return {
        "calls": len(found),
        "p50": statistics.median(found),
        "p99": found[min(len(found) - 1, int(0.99 * len(found)))],
        "cpu": sum(spent.values()),
        "parts": spent,
        "errors": len(errors),
        "error": errors[0] if errors else "",
    }


class _Line:
    """A connection that is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method: str, path: str, body: Any) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        self._connection.request(method, path, content, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:200]!r}")
        return json.loads(data)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
