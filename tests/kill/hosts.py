"""Hosts of a network on one machine: each has its own network, processes, name, /tmp/ray and shared memory.

A host is a set of kernel namespaces, joined to a bridge by a virtual cable that can be pulled. It needs root,
and runs inside namespaces of its own (:func:`head.alone`), so that nothing of it is left behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

NETWORK = "10.77.0"
PATIENCE = 240.0
STORE = str(80 * 2**20)
SPACES = ("unshare", "-n", "-m", "-u", "-p", "--fork", "--kill-child", "--mount-proc")
HEALTH = (
    '{"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, '
    '"health_check_timeout_ms": 1000, "health_check_failure_threshold": 8}'
)
"""A dead node is seen in some 8 s instead of 15; less would kill nodes of a busy machine."""
BUSY = {"RAY_raylet_start_wait_time_s": "50"}
TRIES = 3
"""Ray gives up on a node whose agent takes 15 s to start; on a busy machine it has to be tried again."""
SECTION = "mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray && mount -t tmpfs -o size=1g none /dev/shm"


def until(what: str, is_so: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something holds, and give back its value; the end of all if it does not come."""
    begun = time.monotonic()
    while not (found := is_so()):
        if time.monotonic() - begun > patience:
            sys.exit(f"{what}: not within {patience:g} s")
        time.sleep(0.1)
    return found


def run(*command: str) -> None:
    """A command that must work."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Host:
    """One machine of the network.

    Args:
        number: Its place: the address is ``10.77.0.NUMBER``.
        mounts: Further shell commands that prepare its file system.
    """

    def __init__(self, number: int, mounts: str = "true") -> None:
        self.number = number
        self.address = f"{NETWORK}.{number}"
        self.cable = f"port{number}"
        self._mounts = mounts
        self._begin()

    def start(self, command: Sequence[str], output: IO[Any] | int, **env: str) -> subprocess.Popen[bytes]:
        """A process there."""
        inside = ["nsenter", "-t", str(self._process.pid), "-n", "-m", "-u", "-p", *command]
        return subprocess.Popen(
            inside,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        )

    def call(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command there, to its end, with both outputs."""
        inside = ["nsenter", "-t", str(self._process.pid), "-n", "-m", "-u", "-p", *command]
        return subprocess.run(
            inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=PATIENCE, env={**os.environ, **env},
        )  # fmt: skip

    def ray(self, folder: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        """Start Ray's processes there, as an operator does."""
        self.call("rm", "-f", "/tmp/ray/ray_current_cluster")  # it survives a crash and stops the next start
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *options]
        shared = ["--node-ip-address", self.address, "--object-store-memory", STORE, "--disable-usage-stats"]
        output = folder / f"host{self.number}.txt"
        for _ in range(TRIES):
            with output.open("ab") as file:
                if self.start([*command, *shared], file, **{**BUSY, **(env or {})}).wait(PATIENCE) == 0:
                    return
        sys.exit(f"ray start failed {TRIES} times\n{output.read_text()}")

    def runs(self, name: str) -> bool:
        """Whether a process of this name lives there."""
        for process in self._process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == name and process.status() != psutil.STATUS_ZOMBIE:
                    return True
        return False

    def lose_power(self) -> None:
        """All its processes are gone at once."""
        self._process.kill()
        self._holder.wait(PATIENCE)
        gone = ["ip", "link", "delete", self.cable]  # the kernel does so too, when it comes to it
        subprocess.run(gone, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def power_up(self) -> None:
        """Boot again, with an empty /tmp/ray."""
        self._begin()

    def cut(self) -> None:
        """Pull the cable."""
        run("ip", "link", "set", self.cable, "down")

    def mend(self) -> None:
        """Plug it in again."""
        run("ip", "link", "set", self.cable, "up")

    def _begin(self) -> None:
        script = f"hostname host{self.number} && {SECTION} && {self._mounts} && exec sleep infinity"
        self._holder = subprocess.Popen(
            [*SPACES, "sh", "-c", script], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        parent = psutil.Process(self._holder.pid)
        self._process = until("a host", lambda: next(iter(parent.children()), None))
        until("its file system", lambda: self._process.name() == "sleep")
        pid = str(self._process.pid)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", pid)
        run("ip", "link", "set", self.cable, "master", "bridge0")
        run("ip", "link", "set", self.cable, "up")
        inside = ("nsenter", "-t", pid, "-n", "ip")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{self.address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", f"{NETWORK}.254")  # Ray asks it for its own address


def lay_network() -> None:
    """The bridge that all cables lead to; the machine itself is 10.77.0.254."""
    run("ip", "link", "add", "bridge0", "type", "bridge")
    run("ip", "address", "add", f"{NETWORK}.254/24", "dev", "bridge0")
    run("ip", "link", "set", "bridge0", "up")
