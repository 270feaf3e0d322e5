"""Rounds of all stores in turn, and the counting of what they ask of the disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import runlog_stores as stores
from runlog_crews import Crew, floor, in_workers, reference

from heliostat.testing.postgres import PostgresServer, server_programs

SYNCS = "fsync,fdatasync,sync_file_range,msync,syncfs,sync"
SQLITE, POSTGRES = "heliostat SQLite", "heliostat PostgreSQL"
MLFLOW, MLFLOW_WAL = "MLflow SQLite", "MLflow SQLite WAL"
STORES = {
    SQLITE: stores.Heliostat,
    POSTGRES: stores.Heliostat,
    MLFLOW: stores.Mlflow,
    MLFLOW_WAL: stores.MlflowWal,
    "Optuna RDB SQLite": stores.OptunaRdb,
    "Optuna journal": stores.OptunaJournal,
}


@dataclass(frozen=True)
class Row:
    """A row of the table: a store and who writes to it."""

    store: str
    processes: int
    threads: int

    @property
    def writers(self) -> str:
        """As the table says it."""
        if self.processes == self.threads == 1:
            return "1"
        return f"{self.processes} processes" if self.processes > 1 else f"{self.threads} threads"


ROWS = (
    *(Row(name, *size) for name in (SQLITE, POSTGRES) for size in ((1, 1), (1, 8), (8, 1))),
    *(Row(name, *size) for name in list(STORES)[2:] for size in ((1, 1), (8, 1))),
)
FEW = tuple(row for row in ROWS if row.processes == 1 or row.store == SQLITE)
"""Enough for a first look at fsyncs: those of MLflow and Optuna do not depend on the number of writers."""


@contextmanager
def server_if_installed() -> Iterator[PostgresServer | None]:
    """A PostgreSQL server, where there is one."""
    if server_programs() is None:
        yield None
    else:
        with PostgresServer() as server:
            yield server


def prepared_places(folder: Path, server: PostgresServer | None) -> dict[str, str]:
    """The new database of each store."""
    # A file "a-wal" would be taken for the write-ahead log of "a".
    places = {name: str(folder / f"{name.replace(' ', '_').lower()}.db") for name in STORES}
    places[SQLITE] = f"sqlite:///{places[SQLITE]}"
    if server is None:
        del places[POSTGRES]
    else:
        places[POSTGRES] = server.new_database()
    in_workers([(STORES[name].prepare, place) for name, place in places.items()])
    return places


def take_rounds(
    rounds: int, seconds: float, server: PostgresServer | None, among: Sequence[Row] = ROWS
) -> dict[str, Any]:
    """Each row once a round, `seconds` long: what it did, and what disk and processor did in that round."""
    cells, floors, references = [], [], []
    with tempfile.TemporaryDirectory(prefix="runlog-") as name:
        places = prepared_places(Path(name), server)
        rows = [row for row in among if row.store in places]
        crews = [Crew(STORES[row.store], places[row.store], row.processes, row.threads) for row in rows]
        for crew in crews:
            crew.wait()
        for number in range(rounds):
            floors.append(floor(Path(name)))
            references.append(reference())
            for row, crew in zip(rows, crews, strict=True):
                before = server_cpu(server)
                work = crew.work(seconds)
                used = server_cpu(server) - before if row.store == POSTGRES else 0.0
                cells.append({"round": number, **asdict(row), "server_cpu": used, **asdict(work)})
        for crew in crews:
            crew.end()
    return {"floors": floors, "references": references, "cells": cells}


def take_counted_round(seconds: float, is_quick: bool) -> dict[str, Any]:
    """One of :func:`take_rounds` under strace: each cell also has ``syncs``. Its times are worth little."""
    strace = shutil.which("strace")
    if strace is None:
        return {"cells": []}
    with tempfile.TemporaryDirectory(prefix="runlog-") as name:
        trace, answer = Path(name) / "trace", Path(name) / "answer.json"
        # With --seccomp-bpf all other calls run at full speed.
        command = [strace, "-f", "--seccomp-bpf", "-qq", "-ttt", "-e", f"trace={SYNCS}", "-e", "signal=none"]
        script = Path(__file__).with_name("runlog.py")
        inner = [sys.executable, str(script), "--counted", str(answer), str(seconds), *["--quick"] * is_quick]
        subprocess.run([*command, "-o", str(trace), *inner], check=True)
        taken: dict[str, Any] = json.loads(answer.read_text())
        calls = [line for line in trace.read_text().splitlines() if "resumed" not in line]
    times = [float(line.split(maxsplit=2)[1]) for line in calls]
    for cell in taken["cells"]:
        cell["syncs"] = sum(cell["began"] <= time <= cell["ended"] for time in times)
    return taken


def server_cpu(server: PostgresServer | None) -> float:
    """CPU seconds of a PostgreSQL server and all processes that it has started, so far."""
    if server is None:
        return 0.0
    import psutil

    main = psutil.Process(server.pid)
    spent = main.cpu_times()
    total = spent.user + spent.system + spent.children_user + spent.children_system
    for child in main.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return float(total)
