"""Kill workers, the writer actor and the driver of a cluster that logs through its head node.

Eight writers on two nodes log through ``ray://``; the head node runs no tasks. Each round kills one process
with SIGKILL at a random moment, in turn a writer, the actor, the driver (all its writers die with it; a new
driver goes on), and waits until writes are acknowledged again. In the end every acknowledged write must be in
the file, none twice, and the file must be whole::

    python tests/kill/head.py --rounds 40

As root it runs in namespaces of its own, so that it neither sees nor disturbs another Ray on the machine.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from journal import Journal, faults, read_notes, write_runs

WRITERS = 8
VICTIMS = ("worker", "actor", "driver")
PATIENCE = 120.0
NAMESPACES = ("unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc")
SETTINGS = (
    "ip link set lo up && mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray && "
    "mount -t tmpfs -o size=2g none /dev/shm"
)
EXPERIMENT = {
    "name": "killed",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "loss", "objective": "minimize"}],
}


class Fleet:
    """A cluster, a driver and its writers.

    Args:
        folder: Holds the log, the journals and the driver's output.
    """

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.journals = folder / "journals"
        self.path = folder / "heliostat.db"
        small = {"object_store_memory": 80 * 2**20}
        head = {"num_cpus": 0, "include_dashboard": False, **small}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            self._cluster.add_node(num_cpus=WRITERS // 2, **small)
        self._driver: subprocess.Popen[bytes] | None = None

    def drive(self) -> None:
        """Start a driver."""
        arguments = ["--drive", self._cluster.address, "--folder", str(self.folder)]
        with (self.folder / "driver.txt").open("ab") as output:
            self._driver = subprocess.Popen(
                [sys.executable, __file__, *arguments], stdout=output, stderr=subprocess.STDOUT
            )

    def kill(self, victim: str, rng: random.Random) -> Callable[[], bool]:
        """Kill one, and say how to see that its successor is at work."""
        known = self._writing()
        if victim == "driver":
            assert self._driver is not None
            self._driver.kill()
            self._driver.wait()
            self.drive()
            return lambda: len(self._writing() - known) >= WRITERS
        if victim == "worker":
            os.kill(rng.choice(self._processes("Writer")), signal.SIGKILL)
            return lambda: bool(self._writing() - known)
        old = self._processes("HeadLog")
        os.kill(rng.choice(old), signal.SIGKILL)
        seen: list[int] = []

        def is_back() -> bool:
            if not set(self._processes("HeadLog")) - set(old):
                return False
            seen.append(self.acknowledged())
            return seen[-1] > seen[0] + WRITERS  # what was under way when it died does not count

        return is_back

    def acknowledged(self) -> int:
        """Notes so far."""
        return sum(path.read_bytes().count(b"\n") for path in self.journals.glob("*.jsonl"))

    def await_(self, what: str, is_so: Callable[[], bool]) -> float:
        """Seconds until it is so."""
        begun = time.monotonic()
        while not is_so():
            if time.monotonic() - begun > PATIENCE:
                sys.exit(f"{what}: not within {PATIENCE:g} s\n{(self.folder / 'driver.txt').read_text()}")
            time.sleep(0.02)
        return time.monotonic() - begun

    def await_writers(self) -> None:
        """Until each of the first writers has noted something."""
        self.await_("start of the writers", lambda: len(self._writing()) >= WRITERS)

    def close(self) -> None:
        """End everything, gently where it does not matter."""
        if self._driver is not None:
            self._driver.kill()
            self._driver.wait()
        self._cluster.shutdown()

    def _writing(self) -> set[str]:
        return {path.name for path in self.journals.glob("*.jsonl") if path.stat().st_size}

    @staticmethod
    def _processes(name: str) -> list[int]:
        """Our processes that Ray has given this name; there may be others' on the machine."""
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if process.cmdline()[:1] and process.cmdline()[0].startswith(f"ray::{name}"):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found


def drive(address: str, folder: Path) -> None:
    """The driver: opens the log, starts the writers and waits for its end."""
    import ray

    import heliostat
    from heliostat.writes import CreateExperiment

    ray.init(address=address, log_to_driver=False)
    log = heliostat.open_log(f"ray://{folder / 'heliostat.db'}")
    # The same key, so that all drivers have the same experiment.
    experiment = log.apply(CreateExperiment(EXPERIMENT, time=time.time(), key="killed")).experiment
    assert experiment is not None

    class Writer:
        def work(self, log: heliostat.ports.RunLog, name: str) -> None:
            write_runs(log, experiment, Journal(folder / "journals", name))

    made = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1, scheduling_strategy="SPREAD")(Writer)
    writers = [made.remote() for _ in range(WRITERS)]
    ray.get([writer.work.remote(log, f"writer-{number}") for number, writer in enumerate(writers)])


def play(rounds: int, seed: int, folder: Path) -> int:
    """All rounds and the verdict; the exit code."""
    rng = random.Random(seed)
    print(f"{WRITERS} writers, {rounds} kills, seed {seed}", flush=True)
    fleet = Fleet(folder)
    times: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
    try:
        fleet.drive()
        fleet.await_writers()
        begun = time.monotonic()
        for number in range(rounds):
            victim = VICTIMS[number % len(VICTIMS)]
            time.sleep(rng.uniform(0.0, 1.0))
            before = fleet.acknowledged()
            times[victim].append(fleet.await_(f"return after killing the {victim}", fleet.kill(victim, rng)))
            facts = f"{before} acknowledged before, back after {times[victim][-1]:.1f} s"
            print(f"round {number + 1}: {victim}, {facts}", flush=True)
        lasted = time.monotonic() - begun
    finally:
        fleet.close()
    return verdict(fleet, times, lasted)


def verdict(fleet: Fleet, times: dict[str, list[float]], lasted: float) -> int:
    """Print what is there and what is not; the exit code."""
    import heliostat

    with sqlite3.connect(fleet.path) as connection:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    log = heliostat.open_log(fleet.path)
    found = faults(log, fleet.journals)
    notes = sum(1 for _ in read_notes(fleet.journals))
    for victim, seconds in times.items():
        if seconds:
            facts = f"back after {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (most)"
            print(f"{victim}: {len(seconds)} kills, {facts}")
    print(f"{notes} acknowledged writes in {lasted:.0f} s, {len(log.runs())} runs; integrity_check: {whole}")
    log.close()
    print("\n".join(found) if found else "none lost, none twice")
    return 0 if not found and whole == "ok" else 1


def alone(arguments: list[str], script: str = __file__) -> list[str]:
    """The command that runs a script in namespaces of its own, or here where that is refused."""
    command = [sys.executable, script, "--here", *arguments]
    if shutil.which("unshare") is None or subprocess.call([*NAMESPACES, "true"], stderr=subprocess.DEVNULL):
        return command
    return [*NAMESPACES, "sh", "-c", f'{SETTINGS} && "$@"', "sh", *command]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="an empty folder; a temporary one by default")
    parser.add_argument("--here", action="store_true", help="without namespaces")
    parser.add_argument("--drive", metavar="ADDRESS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drive:
        drive(given.drive, given.folder)
        return 0
    if not given.here:
        # One mode for all processes, in their environment; no token file of the user's is used or made.
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        return subprocess.run(alone(sys.argv[1:]), env={**os.environ, **auth}, check=False).returncode
    if given.folder is not None:
        return play(given.rounds, given.seed, given.folder)
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-", ignore_cleanup_errors=True) as folder:
        return play(given.rounds, given.seed, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
