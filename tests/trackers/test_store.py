"""What is particular to the run log in a SQLite file: the disk, the process, the commit."""

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from heliostat.errors import InvalidValue, NotFound, StorageError
from heliostat.trial import Checkpoint, Measurement
from heliostat.writes import CreateRun, LogCheckpoints, UpdateRun
from heliostat_trackers.store import SqlRunLog, open_log

LARGE = "x" * 200_000

ACKNOWLEDGING = """
import os, sys, threading
from heliostat.trial import Measurement, State
from heliostat.writes import CreateRun, FinishRun
from heliostat_trackers.store import open_log

log = open_log(sys.argv[1])

def work(thread):
    for index in range(10_000):
        run = log.apply(CreateRun(None, {"thread": thread, "index": index}, time=1.0)).run
        log.apply(FinishRun(run, State.COMPLETED, "done", time=2.0, values={"m": Measurement(index)}))
        os.write(1, f"{run} {thread} {index}\\n".encode())

for thread in range(4):
    threading.Thread(target=work, args=(thread,)).start()
"""

FILLING = """
import resource, sys
from heliostat.errors import StorageError
from heliostat.writes import CreateRun
from heliostat_trackers.store import open_log

log = open_log(sys.argv[1])
kept = [log.apply(CreateRun(None, {}, time=1.0)).run]
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
write = CreateRun(None, {}, time=1.0, metadata={"text": "x" * 1_000_000})
for _ in range(2):
    try:
        log.apply(write)
    except StorageError as error:
        print(error.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
kept.append(log.apply(write).run)
assert [run.id for run in log.runs()] == kept
log.close()
"""


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heliostat.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqlRunLog]:
    log = open_log(url(path))
    yield log
    log.close()


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Meanwhile no other connection can write: what is submitted gathers in the queue."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def listening(name: str, listener: Any) -> Iterator[None]:
    event.listen(Engine, name, listener)
    try:
        yield
    finally:
        event.remove(Engine, name, listener)


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.parametrize("count", [1, 40, 150])
def test_killed_process_loses_nothing_acknowledged(path: Path, count: int) -> None:
    command = [sys.executable, "-c", ACKNOWLEDGING, url(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    acknowledged = [tuple(map(int, line.split())) for line in lines if line.endswith(b"\n")]
    assert len(acknowledged) >= count
    log = open_log(url(path))
    found = {run.id: run for run in log.runs()}
    log.close()
    for run, thread, index in acknowledged:
        assert found[run].assignments == {"thread": thread, "index": index}
        assert (str(found[run].state), found[run].values) == ("completed", {"m": Measurement(float(index))})
    assert integrity(path) == "ok"


def test_full_database_is_an_error_and_heals(path: Path) -> None:
    pages = 60

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    with listening("connect", limit):
        log = open_log(url(path))
        first = log.apply(CreateRun(None, {}, time=1.0)).run
        writes = [
            CreateRun(None, {"x": index}, time=1.0, metadata={"text": LARGE if index == 5 else ""})
            for index in range(10)
        ]
        writes.append(CreateRun(None, {"x": 10}, time=1.0, metadata={"text": LARGE}))
        with write_lock(path):
            futures = [log.submit(write) for write in writes]
        log.flush()
        refused = [future.exception() for future in futures]
        assert isinstance(refused[-1], StorageError)
        assert "Make room" in refused[-1].remedy
        assert {type(error) for error in refused} <= {StorageError, type(None)}
        kept = [future.result().run for future in futures if future.exception() is None]
        assert [run.id for run in log.runs()] == [first, *kept]
        assert log.apply(CreateRun(None, {}, time=2.0)).run is not None
        pages = 1000
        with pytest.raises(StorageError):  # its connection has the old limit; the next one begins anew
            log.apply(writes[-1])
        assert len({log.apply(write).run for write in writes}) == len(writes)
        log.close()
    assert integrity(path) == "ok"


def test_failed_commit_is_an_error_and_heals(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLING, url(path)], stdout=subprocess.PIPE, check=True, timeout=60
    )
    assert done.stdout.split() == [b"HS-STORAGE-002"] * 2
    assert integrity(path) == "ok"


def test_many_writes_share_a_commit(log: SqlRunLog) -> None:
    commits: list[object] = []

    def work(thread: int) -> None:
        for index in range(50):
            log.apply(CreateRun(None, {"thread": thread, "index": index}, time=1.0))

    with listening("commit", commits.append), ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(log.runs()) == 400
    assert len(commits) <= 250


def test_waiting_writes_need_one_commit_in_order(log: SqlRunLog, path: Path) -> None:
    commits: list[object] = []
    with listening("commit", commits.append):
        with write_lock(path):
            futures = [log.submit(CreateRun(None, {"x": index}, time=1.0)) for index in range(400)]
        log.flush()
    assert len(commits) <= 2
    assert [run.assignments["x"] for run in log.runs()] == list(range(400))
    assert [run.id for run in log.runs()] == [future.result().run for future in futures]


def test_cancelled_write_is_not_applied(log: SqlRunLog, path: Path) -> None:
    with write_lock(path):
        futures = [log.submit(CreateRun(None, {"x": index}, time=1.0)) for index in range(9)]
        is_cancelled = futures[-1].cancel()
    log.flush()
    assert len(log.runs()) == (8 if is_cancelled else 9)


def test_callback_that_would_wait_for_itself(log: SqlRunLog, path: Path) -> None:
    errors: list[BaseException] = []

    def impatient(_: object) -> None:
        for wait in (lambda: log.apply(CreateRun(None, {}, time=2.0)), log.flush, log.close):
            try:
                wait()
            except StorageError as error:
                errors.append(error)

    with write_lock(path):
        log.submit(CreateRun(None, {}, time=1.0)).add_done_callback(impatient)
    log.flush()
    log.close()
    assert len(errors) == 3
    assert all("writer's thread" in str(error) for error in errors)


def test_malformed_write_spares_its_neighbours(log: SqlRunLog, path: Path) -> None:
    run = log.apply(CreateRun(None, {}, time=1.0)).run
    assert run is not None
    bad: list[Any] = [
        UpdateRun(run, time=1.0, values={"m": 0.5}),  # type: ignore[dict-item]
        UpdateRun(run, time=1.0, name="\ud800"),
        LogCheckpoints(run, (Checkpoint(1, {"m": 1.0}), Checkpoint(2**70, {"m": 1.0}))),
        CreateRun(None, {}, time=1.0, name=None),  # type: ignore[arg-type]
        LogCheckpoints(run, ("nonsense",)),  # type: ignore[arg-type]
    ]
    with write_lock(path):
        refused = [log.submit(write) for write in bad]
        good = log.submit(CreateRun(None, {}, time=2.0))
    assert good.result().run is not None
    assert [type(future.exception()) for future in refused] == [*[InvalidValue] * 4, AttributeError]
    assert log.run(run).curve == ()
    assert len(log.runs()) == 2


@pytest.mark.parametrize("value", [b"bytes", datetime(2026, 1, 1), Decimal(1), {1, 2}, object()])
@pytest.mark.parametrize("shape", [lambda value: value, lambda value: [value], lambda value: {"in": value}])
def test_what_json_does_not_know_is_refused_wherever_it_stands(
    log: SqlRunLog, value: Any, shape: Any
) -> None:
    with pytest.raises(InvalidValue):
        log.apply(CreateRun(None, {}, metadata={"good": 1.0, "bad": shape(value)}, time=1.0))
    assert log.runs() == []


def test_flat_values_come_back_as_they_were_given(log: SqlRunLog) -> None:
    given = {
        "null": "null",
        "none": 1e22,
        "é☀": "\x7f\\",
        "large": 2**70,
        "no": False,
        "tiny": 5e-324,
    }
    run = log.apply(CreateRun(None, given, metadata={**given, "nan": float("inf")}, time=1.0)).run
    assert run is not None
    assert dict(log.run(run).assignments) == given
    assert dict(log.run(run).metadata) == {**given, "nan": float("inf")}


def test_columns_hold_strict_json(log: SqlRunLog, path: Path) -> None:
    values = {"a": Measurement(float("nan")), "b": Measurement(float("inf"), 0.5)}
    run = log.apply(CreateRun(None, {"x": float("-inf")}, time=1.0)).run
    assert run is not None
    log.apply(UpdateRun(run, time=1.0, values=values, metadata={"deep": [{"er": float("nan")}]}))
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute('SELECT "values", metadata, assignments FROM runs').fetchone()
    found = [json.loads(text, parse_constant=pytest.fail) for text in row]
    assert found[0] == {"a": {"value": "NaN"}, "b": {"value": "Infinity", "stddev": 0.5}}
    assert log.run(run).assignments == {"x": float("-inf")}
    with pytest.raises(InvalidValue, match="reserved"):
        log.apply(UpdateRun(run, time=1.0, metadata={"m": {"$float": "NaN"}}))


@pytest.mark.parametrize("name", ["plain.db", "with space?&=#%20.db", "naïve 🦉.db"])
def test_any_file_name_and_new_folders(tmp_path: Path, name: str) -> None:
    log = open_log(url(tmp_path / "a" / "b" / name))
    log.apply(CreateRun(None, {}, time=1.0))
    log.close()
    assert [entry.name for entry in (tmp_path / "a" / "b").iterdir()] == [name]
    again = open_log(log.url)
    assert len(again.runs()) == 1
    again.close()


def test_file_that_is_no_database(path: Path) -> None:
    path.write_text("name,score\n" * 500)
    with pytest.raises(StorageError, match="not a database") as caught:
        open_log(url(path))
    assert caught.value.remedy
    assert path.read_text() == "name,score\n" * 500


@pytest.mark.parametrize("table", ["experiments", "meta"])
def test_database_of_another_program(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program"):
        open_log(url(path))
    assert path.read_bytes() == before


def test_newer_schema(log: SqlRunLog, path: Path) -> None:
    log.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'heliostat.schema'")
    with pytest.raises(StorageError, match=r"got 999.*upgrade"):
        open_log(url(path))


@pytest.mark.parametrize("place", ["", "/", ":memory:", "/proc/nowhere/heliostat.db", "{file}/heliostat.db"])
def test_impossible_place(tmp_path: Path, place: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StorageError) as caught:
        open_log(f"sqlite:///{place.format(file=file)}")
    assert caught.value.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="right to write"):
        open_log(url(tmp_path / "heliostat.db"))


def test_many_open_a_new_log_at_once(path: Path) -> None:
    barrier = threading.Barrier(8)

    def work(index: int) -> None:
        barrier.wait()
        log = open_log(url(path))
        for _ in range(5):
            log.apply(CreateRun(None, {"x": index}, time=1.0))
        log.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    log = open_log(url(path))
    assert (len(log.runs()), len(log.events())) == (40, 40)
    log.close()


def test_log_stays_in_its_process(log: SqlRunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="pickled"):
        pickle.dumps(log)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        for use in (lambda: log.submit(CreateRun(None, {}, time=1.0)), log.flush):
            with pytest.raises(StorageError, match="forked"):
                use()
    assert log.apply(CreateRun(None, {}, time=1.0)).run is not None


def test_closed_log_is_not_read(log: SqlRunLog) -> None:
    log.close()
    log.flush()
    with pytest.raises(StorageError, match="closed"):
        log.runs()


def test_ids_beyond_any_database(log: SqlRunLog) -> None:
    for read in (log.run, log.experiment):
        with pytest.raises(NotFound):
            read(2**70)


def test_exit_without_close_flushes(path: Path) -> None:
    script = ACKNOWLEDGING.partition("def work")[0]
    script += 'for x in range(50): log.submit(CreateRun(None, {"x": x}, time=1.0))'
    subprocess.run([sys.executable, "-c", script, url(path)], check=True, timeout=60)
    log = open_log(url(path))
    assert len(log.runs()) == 50
    log.close()
