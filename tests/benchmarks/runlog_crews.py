"""Writers that are started once and then work for a second or two whenever it is their turn."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from random import Random
from typing import Any

PRELOADED = [
    "heliostat.writes",
    "heliostat_trackers.store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking",
    "optuna",
    "pandas",
    "psycopg",
    "runlog_stores",
]
"""Imported once, by the process from which all writers are forked: nobody measures imports here."""


@dataclass
class Work:
    """What writers did in one turn."""

    rate: float = 0.0
    """Trials per second: the sum of each writer's own rate, so that the last one's overtime costs nothing."""
    trials: int = 0
    errors: int = 0
    cpu: float = 0.0
    began: float = 0.0
    ended: float = 0.0
    waits: list[float] = field(default_factory=list)
    """Seconds of each acknowledged write."""

    def add(self, other: Work) -> None:
        self.rate += other.rate
        self.trials += other.trials
        self.errors += other.errors
        self.cpu += other.cpu
        self.waits += other.waits


@cache
def context() -> ForkServerContext:
    """A clean process forks all writers, so none inherits threads or connections."""
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOADED)
    return made


class Crew:
    """Writers of one store: threads that share one connection in each of some processes.

    Args:
        store: Class of :mod:`runlog_stores`.
        place: Its database, which is prepared.
        processes: How many processes.
        threads: Writers in each.
    """

    def __init__(self, store: type[Any], place: str, processes: int, threads: int) -> None:
        self.writers = processes * threads
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(processes):
            ours, theirs = context().Pipe()
            arguments = (theirs, store, place, number, threads)
            process = context().Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def wait(self) -> None:
        """Until every process has opened its store."""
        for pipe in self._pipes:
            pipe.recv()

    def work(self, seconds: float) -> Work:
        """All write at once for this long, and finish the trial they are at."""
        begin = time.monotonic() + 0.05
        done = Work(began=time.time())
        for pipe in self._pipes:
            pipe.send((begin, seconds))
        for pipe in self._pipes:
            done.add(pipe.recv())
        done.ended = time.time()
        return done

    def end(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(60)


def _serve(pipe: Connection, store: type[Any], place: str, number: int, threads: int) -> None:
    opened = store(place)
    for _ in opened.trial(Random(number)):  # connections, prepared statements, caches
        pass
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        pipe.send(_turn(opened, [Random(f"{number} {thread} {order}") for thread in range(threads)], *order))
    opened.close()


def _turn(store: Any, randoms: Sequence[Random], begin: float, seconds: float) -> Work:
    time.sleep(max(0.0, begin - time.monotonic()))
    before, works = time.process_time(), [Work() for _ in randoms]
    others = [
        threading.Thread(target=_write, args=(store, random, begin + seconds, work))
        for random, work in zip(randoms[1:], works[1:], strict=True)
    ]
    for thread in others:
        thread.start()
    _write(store, randoms[0], begin + seconds, works[0])
    for thread in others:
        thread.join()
    done = Work(cpu=time.process_time() - before)
    for work in works:
        done.add(work)
    return done


def _write(store: Any, random: Random, deadline: float, work: Work) -> None:
    began = before = time.monotonic()
    while before < deadline:
        try:
            for _ in store.trial(random):
                now = time.monotonic()
                work.waits.append(now - before)
                before = now
            work.trials += 1
        except Exception as error:  # a store that refuses is a result, too
            work.errors += 1
            print(f"{type(store).__name__}: {str(error)[:300]}", file=sys.stderr)
            before = time.monotonic()
    work.rate = work.trials / (before - began)


def in_workers(calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What functions, each with its arguments, return, each in a new process, all at once."""
    started = []
    for function, *arguments in calls:
        ours, theirs = context().Pipe()
        process = context().Process(target=_answer, args=(theirs, function, arguments), daemon=True)
        process.start()
        theirs.close()
        started.append((ours, process))
    answers = [ours.recv() for ours, _ in started]
    for _, process in started:
        process.join()
    return answers


def in_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a new process."""
    return in_workers([(function, *arguments)])[0]


def _answer(pipe: Connection, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    pipe.send(function(*arguments))


def floor(folder: Path, count: int = 30) -> float:
    """Median seconds of what no durable store can beat: 200 bytes appended and synchronized."""
    waits = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(count):
            before = time.monotonic()
            os.write(file.fileno(), b"x" * 200)
            os.fdatasync(file.fileno())
            waits.append(time.monotonic() - before)
    return sorted(waits)[count // 2]


def reference(count: int = 3000) -> float:
    """CPU seconds of a fixed piece of Python: more than in a quiet minute if others use the same cores."""
    text = json.dumps({f"name {number}": number / 7 for number in range(20)})
    before = time.process_time()
    for _ in range(count):
        json.dumps(json.loads(text))
    return time.process_time() - before
