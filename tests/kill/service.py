"""Kill the parts of a service under load: an experiment's actor, a replica, the log's writer, everything.

Clients loop over a few experiments of ``heliostat serve``; the head node's actor writes the log. They ask,
report, tell, each call with a key of its own and repeated until it is answered. Each round kills one part
with SIGKILL at a random moment, in turn

- an experiment's actor;
- a replica;
- the writer, the actor that holds the run log;
- the whole service (a new one on the same log goes on);
- the head: Ray's own processes and the proxy. Actors, writer and replicas are stopped just before and go on
  when a new service works on the same log: they believe that the log and the experiments are still theirs;

and waits until work is acknowledged again. In the end every acknowledged end must be in the log, no
suggestion may have been handed out twice, no budget be exceeded, none of the left-over processes live, and
the log be whole::

    python tests/kill/service.py --rounds 50
    python tests/kill/service.py --log file     the replicas write the file themselves: no writer to kill

"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

import heliostat as hs
from heliostat.client import Remote, RemoteExperiment
from heliostat.errors import HeliostatError
from heliostat.registry import open_log
from heliostat.trial import State
from heliostat_trackers.maintenance import verify

VICTIMS = {
    "head": ("actor", "replica", "writer", "service", "head"),
    "file": ("actor", "replica", "service", "head"),
}
"""By who writes the log."""

NAMES = {"actor": "ray::ExperimentActor", "replica": "ray::ServeReplica", "writer": "ray::HeadLog"}
EXPERIMENTS, CLIENTS, BUDGET = 3, 8, 100_000
PATIENCE = 120.0
ASLEEP = 20.0
"""Most seconds that processes of a lost head sleep: one may hold the log's lock, and nobody works then."""


class Service:
    """``heliostat serve`` in a process group of its own, on one log and port.

    Args:
        folder: Of the log and of what the service says.
        writer: Who writes the log: the ``head`` node's actor, or whoever has something to write (``file``).

    Attributes:
        log: The log's file, for those who look at it afterwards.
    """

    def __init__(self, folder: Path, writer: str) -> None:
        path = folder / "runs.db"
        self.log = f"sqlite:///{path}"
        self._served = self.log if writer == "file" else f"ray://{path}"
        self._sleeping: list[psutil.Process] = []
        self._left: list[psutil.Process] = []
        self._output = (folder / "serve.log").open("ab")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; clients find out themselves when it answers."""
        command = [
            "-m",
            "heliostat.cli",
            "serve",
            "--port",
            str(self.port),
            "--no-auth",
            "--log",
            self._served,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self._process = subprocess.Popen(
            [sys.executable, *command],
            env=environment,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def kill(self, part: str, rng: random.Random) -> int:
        """Kill one process of a kind, or all there are; how many."""
        family = self._family()
        if part == "service":
            victims = family
        elif part == "head":
            self._sleeping = [
                process for process in family if _title(process).startswith(tuple(NAMES.values()))
            ]
            self._left += self._sleeping
            self._signal(self._sleeping, signal.SIGSTOP)
            victims = [process for process in family if process not in self._sleeping]
        else:
            named = [process for process in family if _title(process).startswith(NAMES[part])]
            victims = [rng.choice(named)] if named else []
        self._signal(victims, signal.SIGKILL)
        if part in ("service", "head"):
            psutil.wait_procs(victims, timeout=10)
            self._process.wait()
            self.start()
        return len(victims)

    def wake(self) -> None:
        """Let those go on that a lost head has left behind."""
        self._signal(self._sleeping, signal.SIGCONT)
        self._sleeping = []

    def left_over(self) -> list[str]:
        """Titles of the processes that still live although their head is long gone."""
        _, alive = psutil.wait_procs(self._left, timeout=PATIENCE)
        return [_title(process) for process in alive]

    @staticmethod
    def _signal(processes: list[psutil.Process], number: int) -> None:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> None:
        """End it and all that it started."""
        family = self._family()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._signal([*family, *self._left], signal.SIGKILL)
        self._output.close()

    def _family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        return []


class Load:
    """Clients that work without pause and note what they were told.

    Args:
        url: The service's address.
        experiments: Ids.
    """

    def __init__(self, url: str, experiments: list[int]) -> None:
        self._url, self._experiments = url, experiments
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.asked: list[tuple[int, int]] = []
        self.told: dict[int, float] = {}
        self.slowest = 0.0
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._work, args=(place,)) for place in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def await_progress(self, count: int) -> float:
        """Seconds until so many more ends are acknowledged."""
        began, before = time.monotonic(), len(self.told)
        while len(self.told) < before + count:
            if self.errors:
                sys.exit(f"a client was let down: {self.errors[0]}")
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"nothing was acknowledged within {PATIENCE:g} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def works_within(self, seconds: float) -> bool:
        """Whether something more is acknowledged in so many seconds."""
        deadline, before = time.monotonic() + seconds, len(self.told)
        while len(self.told) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.told) > before

    def _work(self, place: int) -> None:
        rng = random.Random(place)
        with hs.connect(self._url, "none", patience=PATIENCE) as remote:
            experiments = [RemoteExperiment(remote, id) for id in self._experiments]
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    self._one(rng.choice(experiments), rng)
                except HeliostatError as error:
                    self.errors.append(str(error))
                    return
                self.slowest = max(self.slowest, time.monotonic() - began)

    def _one(self, experiment: RemoteExperiment, rng: random.Random) -> None:
        run = experiment.ask()
        with self._lock:
            self.asked.append((run.id, run.attempt))
        loss = rng.random()
        run.log_checkpoint({"loss": loss + 1}, step=1)
        run.log_metric("loss", loss)
        run.end()
        with self._lock:
            self.told[run.id] = loss


def faults(url: str, load: Load, experiments: list[int]) -> list[str]:
    """What is lost, twice or broken."""
    found = [f"run {id} was handed out {n} times" for (id, _), n in Counter(load.asked).items() if n > 1]
    log = open_log(url)
    try:
        for experiment in experiments:
            runs = log.runs(experiment)
            points = Counter(run.assignments["x"] for run in runs)
            found += [f"point {x} of experiment {experiment} twice" for x, n in points.items() if n > 1]
            if len(runs) > BUDGET:
                found.append(f"experiment {experiment} has {len(runs)} runs of {BUDGET}")
        for id, loss in load.told.items():
            run = log.run(id)
            if run.state is not State.COMPLETED or run.numbers.get("loss") != loss:
                found.append(f"run {id} was told {loss} and holds {run.numbers} ({run.state})")
    finally:
        log.close()
    return [*found, *verify(url).faults]


def play(rounds: int, seed: int, searcher: str, writer: str) -> int:
    """Kill and look; the exit code."""
    rng, parts = random.Random(seed), VICTIMS[writer]
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-") as name:
        service = Service(Path(name), writer)
        service.start()
        load = None
        try:
            with hs.connect(service.url, "none", patience=PATIENCE) as remote:
                ids = [declared(remote, number, searcher) for number in range(EXPERIMENTS)]
            load = Load(service.url, ids)
            load.start()
            load.await_progress(CLIENTS)
            times: dict[str, list[float]] = {victim: [] for victim in parts}
            for number in range(rounds):
                victim = parts[number % len(parts)]
                time.sleep(rng.uniform(0, 0.5))
                count = service.kill(victim, rng)
                began = time.monotonic()
                if victim == "head":
                    load.works_within(ASLEEP)
                    service.wake()
                load.await_progress(CLIENTS)
                seconds = time.monotonic() - began
                times[victim].append(seconds)
                said = f"killed {victim} ({count}), going on after {seconds:.2f} s"
                print(f"round {number + 1}: {said}", flush=True)
            load.stop()
            found = [f"{title} outlived its head" for title in service.left_over()]
            service.stop()
            found += faults(service.log, load, ids)
        finally:
            if load is not None:
                load.stop()
            service.stop()
    for victim, seconds in times.items():
        if seconds:
            typical, worst = statistics.median(seconds), max(seconds)
            print(f"{victim}: {CLIENTS} ends after {typical:.2f} s median, {worst:.2f} s worst")
    print(f"{len(load.asked)} handed out, {len(load.told)} acknowledged, slowest turn {load.slowest:.2f} s")
    print("\n".join(found) if found else "none lost, none twice, the log is whole", flush=True)
    return 1 if found else 0


def declared(remote: Remote, number: int, searcher: str) -> int:
    """A new experiment's id."""
    return remote.create_experiment(
        f"killed {number}",
        project="kill",
        parameters=[hs.Double("x", 0, 1), hs.Double("y", 0, 1)],
        metrics=[hs.minimize("loss")],
        budget=BUDGET,
        parallel_bandwidth=CLIENTS,
        searcher=searcher,
        seed=number,
    ).id


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--searcher", default="sobol")
    parser.add_argument("--log", choices=tuple(VICTIMS), default="head", help="who writes the run log")
    options = parser.parse_args()
    return play(options.rounds, options.seed, options.searcher, options.log)


if __name__ == "__main__":
    sys.exit(main())
