"""What writers know to be acknowledged, kept where no kill can reach it, and what the log says of it.

The kill tests share this: each writer calls :func:`write_runs` for ever, something kills something, and in
the end :func:`faults` compares the journals with the log. A writer notes a write only after the log has
acknowledged it, and the note is on the disk before the next write begins; so whatever is in a journal must
be in the log.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heliostat.errors import StorageError
from heliostat.ports import Event, RunLog
from heliostat.trial import Checkpoint, Measurement, Run, State
from heliostat.writes import CreateRun, FinishRun, LogCheckpoints, Reply, Write

STEPS = 3
"""Checkpoints of each run, a write each."""


@dataclass(frozen=True)
class Note:
    """One acknowledged write: what it was, the run's own name, and the checkpoint's step."""

    kind: str
    name: str
    step: int = 0


class Journal:
    """A file of notes; each is on the disk before :meth:`add` returns."""

    def __init__(self, folder: Path, writer: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{writer}-{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, *notes: Note) -> None:
        os.write(self._file, b"".join(json.dumps(vars(note)).encode() + b"\n" for note in notes))
        os.fsync(self._file)


def read_notes(folder: Path) -> Iterator[Note]:
    """All notes of all writers; a last line that a kill has cut short was not noted."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            yield Note(**json.loads(line))


def write_runs(log: RunLog, experiment: int, journal: Journal, *, patience: float = 120.0) -> None:
    """Make run after run, until somebody kills this process.

    Each is created, gets its curve in writes that nobody waits for, and is finished. What fails is sent again
    with its key, as every client must.
    """
    while True:
        name = uuid.uuid4().hex
        create = CreateRun(experiment, {"x": 0.5}, name=name, time=time.time())
        run = acknowledged(log, create, patience).run
        assert run is not None
        journal.add(Note("create", name))
        points = [
            LogCheckpoints(run, (Checkpoint(step, {"loss": 1 / step}),)) for step in range(1, STEPS + 1)
        ]
        curve = [(point, _submitted(log, point)) for point in points]
        for step, (point, future) in enumerate(curve, 1):
            if future is None or future.exception() is not None:
                acknowledged(log, point, patience)
            journal.add(Note("checkpoint", name, step))
        values = {"loss": Measurement(1 / STEPS)}
        finish = FinishRun(run, State.COMPLETED, "done", values=values, time=time.time())
        acknowledged(log, finish, patience)
        journal.add(Note("finish", name))


def acknowledged(log: RunLog, write: Write, patience: float) -> Reply:
    """The reply to a write, sent until there is one."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return log.apply(write)
        except StorageError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def faults(log: RunLog, folder: Path, *, most: int = 20) -> list[str]:
    """Where log and journals disagree, and where the log disagrees with itself; empty if all is well."""
    runs = log.runs(curves=True)
    found = [*_lost(runs, folder), *_twice(runs), *_unordered(list(_events(log)))]
    return found if len(found) <= most else [*found[:most], f"… and {len(found) - most} more"]


def _lost(runs: list[Run], folder: Path) -> Iterator[str]:
    known = {run.name: run for run in runs}
    for note in read_notes(folder):
        run = known.get(note.name)
        if run is None:
            yield f"acknowledged and lost: run {note.name} ({note.kind})"
        elif note.kind == "checkpoint" and note.step not in {point.step for point in run.curve}:
            yield f"acknowledged and lost: step {note.step} of run {note.name}"
        elif note.kind == "finish" and run.state is not State.COMPLETED:
            yield f"acknowledged and lost: the end of run {note.name}"


def _twice(runs: list[Run]) -> Iterator[str]:
    yield from (f"run {name} is there twice" for name, count in _counted(run.name for run in runs))
    for experiment in {run.experiment for run in runs} - {None}:
        numbers = sorted(run.number for run in runs if run.experiment == experiment)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the runs of experiment {experiment} are not numbered 1, 2, 3, …"


def _unordered(events: list[Event]) -> Iterator[str]:
    if [event.seq for event in events] != sorted({event.seq for event in events}):
        yield "the events' sequence does not grow"
    often = Counter((event.run, event.kind) for event in events)
    for (run, kind), count in often.items():
        if count > {"CreateRun": 1, "LogCheckpoints": STEPS, "FinishRun": 1}.get(kind, count):
            yield f"{kind} of run {run} was applied {count} times"


def _events(log: RunLog) -> Iterator[Event]:
    after = 0
    while page := log.events(after, 10_000):
        yield from page
        after = page[-1].seq


def _counted(names: Any) -> list[tuple[str, int]]:
    return [(name, count) for name, count in Counter(names).items() if count > 1]


def _submitted(log: RunLog, write: Write) -> Any:
    try:
        return log.submit(write)
    except StorageError:
        return None
