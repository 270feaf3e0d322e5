"""Kill the parts of a service under load: an experiment's actor, a replica, the whole service.

Clients loop over a few experiments of ``heliostat serve``: ask, report, tell, each call with a key of its
own and repeated until it is answered. Each round kills one part with SIGKILL at a random moment, in turn an
actor, a replica, everything (a new service on the same log goes on), and waits until work is acknowledged
again. In the end every acknowledged end must be in the log, no suggestion may have been handed out twice, no
budget be exceeded, and the log be whole::

    python tests/kill/service.py --rounds 50

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

VICTIMS = ("actor", "replica", "service")
NAMES = {"actor": "ray::ExperimentActor", "replica": "ray::ServeReplica"}
EXPERIMENTS, CLIENTS, BUDGET = 3, 8, 100_000
PATIENCE = 120.0


class Service:
    """``heliostat serve`` in a process group of its own, on one log and port."""

    def __init__(self, folder: Path) -> None:
        self.log = f"sqlite:///{folder / 'runs.db'}"
        self._output = (folder / "serve.log").open("ab")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; clients find out themselves when it answers."""
        command = ["-m", "heliostat.cli", "serve", "--port", str(self.port), "--no-auth", "--log", self.log]
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
        else:
            named = [process for process in family if _title(process).startswith(NAMES[part])]
            victims = [rng.choice(named)] if named else []
        for victim in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
        if part == "service":
            psutil.wait_procs(victims, timeout=10)
            self._process.wait()
            self.start()
        return len(victims)

    def stop(self) -> None:
        """End it and all that it started."""
        family = self._family()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
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


def play(rounds: int, seed: int, searcher: str) -> int:
    """Kill and look; the exit code."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="heliostat-kill-") as name:
        service = Service(Path(name))
        service.start()
        load = None
        try:
            with hs.connect(service.url, "none", patience=PATIENCE) as remote:
                ids = [declared(remote, number, searcher) for number in range(EXPERIMENTS)]
            load = Load(service.url, ids)
            load.start()
            load.await_progress(CLIENTS)
            times: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
            for number in range(rounds):
                victim = VICTIMS[number % len(VICTIMS)]
                time.sleep(rng.uniform(0, 0.5))
                count = service.kill(victim, rng)
                seconds = load.await_progress(CLIENTS)
                times[victim].append(seconds)
                said = f"killed {victim} ({count}), going on after {seconds:.2f} s"
                print(f"round {number + 1}: {said}", flush=True)
            load.stop()
            found = faults(service.log, load, ids)
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
    options = parser.parse_args()
    return play(options.rounds, options.seed, options.searcher)


if __name__ == "__main__":
    sys.exit(main())
