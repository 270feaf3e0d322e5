"""Eight writers on this machine that can be killed: the threads of one process, or a process each."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from journal import Journal, faults, read_notes, write_runs

from heliostat.writes import CreateExperiment
from heliostat_trackers.maintenance import verify
from heliostat_trackers.store import open_log

logging.getLogger("heliostat_trackers").setLevel(logging.ERROR)  # each kill is a warning

WRITERS = 8
SHAPES = ("threads", "processes")
EXPERIMENT = {
    "name": "killed",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "loss", "objective": "minimize"}],
}


class Crew:
    """The writers of one log. Their processes are forks of this one, which has imported all they need.

    Args:
        url: The log.
        folder: Holds the journals.
        shape: ``threads`` (one process, one open log) or ``processes`` (one open log each).
    """

    def __init__(self, url: str, folder: Path, shape: str) -> None:
        self._url = url
        self._shape = shape
        self.journals = folder / "journals"
        self.journals.mkdir(parents=True)
        self._processes: list[int] = []
        log = open_log(url)
        self._experiment = log.apply(CreateExperiment(EXPERIMENT, time=time.time())).experiment
        log.close()

    def start(self) -> None:
        """Bring the crew to its full size."""
        assert threading.active_count() == 1, "a fork takes none of the threads along"
        while len(self._processes) < (WRITERS if self._shape == "processes" else 1):
            child = os.fork()
            if child == 0:
                self._work()
            self._processes.append(child)

    def kill(self, rng: random.Random) -> int:
        """Kill one writing process without warning, or several at the same moment; how many."""
        self.check_alive()
        victims = rng.sample(self._processes, rng.randint(1, len(self._processes)))
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        for victim in victims:
            os.waitpid(victim, 0)
            self._processes.remove(victim)
        return len(victims)

    def kill_all(self) -> None:
        """Leave nobody."""
        while self._processes:
            victim = self._processes.pop()
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)

    def check_alive(self) -> None:
        """Nobody may end by himself: every failure that can pass is waited for."""
        ended = [process for process in self._processes if os.waitpid(process, os.WNOHANG)[0]]
        self._processes = [process for process in self._processes if process not in ended]
        if ended:
            sys.exit(f"{len(ended)} writers gave up; see what they said above")

    def acknowledged(self) -> int:
        """Notes so far."""
        return sum(path.read_bytes().count(b"\n") for path in self.journals.glob("*.jsonl"))

    def await_progress(self, count: int = WRITERS, patience: float = 90.0) -> float:
        """Seconds until so many more writes are acknowledged."""
        begun, before = time.monotonic(), self.acknowledged()
        while self.acknowledged() < before + count:
            self.check_alive()
            if time.monotonic() - begun > patience:
                sys.exit(f"nothing was acknowledged within {patience:g} s")
            time.sleep(0.02)
        return time.monotonic() - begun

    def found(self) -> list[str]:
        """What is lost, twice or broken."""
        with tempfile.TemporaryDirectory(prefix="heliostat-kill-") as folder:
            # Taken first: those who live on write and note while the log is read.
            noted = Path(shutil.copytree(self.journals, Path(folder) / "journals"))
            log = open_log(self._url)
            found = faults(log, noted)
            log.close()
        return [*verify(self._url).faults, *found]

    def verdict(self) -> int:
        """Print what is there and what is not; the exit code."""
        self.kill_all()
        found = self.found()
        rows = verify(self._url).rows
        notes = sum(1 for _ in read_notes(self.journals))
        print(f"{notes} acknowledged writes, {rows['runs']} runs, {rows['events']} events")
        print("\n".join(found) if found else "none lost, none twice, the log is whole", flush=True)
        return 1 if found else 0

    def _work(self) -> None:
        try:
            log = open_log(self._url)
            assert self._experiment is not None
            journals = [Journal(self.journals, f"writer-{number}") for number in range(self._size)]
            arguments = [(log, self._experiment, journal) for journal in journals]
            threads = [threading.Thread(target=self._write, args=given) for given in arguments]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _write(self, *arguments: object) -> None:
        try:
            write_runs(*arguments)  # type: ignore[arg-type]
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    @property
    def _size(self) -> int:
        return WRITERS if self._shape == "threads" else 1
