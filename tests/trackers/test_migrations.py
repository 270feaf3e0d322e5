"""Logs of older Heliostats: refused with the remedy, brought up to date whole or not at all."""

import math
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from heliostat.errors import StorageError
from heliostat.trial import Checkpoint, Failure, Measurement, Prediction, Run, State
from heliostat.writes import CreateRun, FinishRun, LogText, RetryRun
from heliostat_trackers.maintenance import migrate, verify
from heliostat_trackers.store import open_log
from heliostat_trackers.tables import VERSION

DUMP = Path(__file__).with_name("schema_v1.sql")
"""What the code of schema 1 wrote: an experiment with three runs, and a run of Optuna's."""

MIGRATING = """
import sys
from heliostat_trackers.maintenance import migrate
print("ready", flush=True)
migrate(sys.argv[1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    return path


def schema(path: Path) -> dict[str, Any]:
    """All that SQLite knows of each table, but not the text that it was made with."""
    found: dict[str, Any] = {}
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        for name, sql in tables:
            indices = connection.execute(f"PRAGMA index_list({name})").fetchall()
            found[name] = (
                connection.execute(f"PRAGMA table_xinfo({name})").fetchall(),
                sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({name})")),
                sorted(
                    (index[1:], connection.execute(f"PRAGMA index_xinfo({index[1]})").fetchall())
                    for index in indices
                ),
                [word for word in ("AUTOINCREMENT", "WITHOUT ROWID") if word in sql],
            )
    return found


def version(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (text,) = connection.execute("SELECT value FROM meta WHERE key = 'heliostat.schema'").fetchone()
    return str(text)


def test_older_log_is_refused_with_the_remedy(path: Path) -> None:
    before = path.read_bytes()
    for use in (open_log, verify):
        with pytest.raises(StorageError, match="heliostat log migrate") as caught:
            use(f"sqlite:///{path}")
        assert caught.value.code == "HS-STORAGE-015"
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_migrated_schema_is_the_present_one(path: Path) -> None:
    done = migrate(f"sqlite:///{path}")
    assert (done.before, done.after, done.copy) == (1, VERSION, path.with_name("old.db.schema1"))
    fresh = path.with_name("fresh.db")
    open_log(f"sqlite:///{fresh}").close()
    assert schema(path) == schema(fresh)
    assert migrate(f"sqlite:///{path}").before == VERSION


def test_migrated_runs_are_the_same(path: Path) -> None:
    migrate(f"sqlite:///{path}")
    log = open_log(f"sqlite:///{path}")
    found = log.runs(curves=True)
    points = (Checkpoint(1, {"accuracy": 0.1, "loss": math.nan}, 4.5), Checkpoint(2, {"accuracy": 0.2}, 4.6))
    of_experiment: dict[str, Any] = {"experiment": 1, "project": "old", "assignments": {"x": 0.5}}
    assert repr(found) == repr(
        [
            Run(
                1, number=1, name="done", state=State.COMPLETED, searcher="sobol", why="space",
                values={"accuracy": Measurement(0.9, 0.01)}, predicted={"accuracy": Prediction(0.5, 0.1)},
                end_reason="finished", metadata={"host": "n1", "nan": math.nan}, created=3.0, started=4.0,
                ended=9.0, updated=9.0, curve=points, **of_experiment,
            ),
            Run(
                2, number=2, name="failed", state=State.FAILED, end_reason="raised",
                failure=Failure("user_error", "boom 🦉", "Traceback"), created=3.0, ended=6.0, updated=6.0,
                **of_experiment,
            ),
            Run(
                3, number=3, name="retried", attempt=2, created=3.0, updated=3.0,
                curve=(Checkpoint(1, {"accuracy": 0.4}, 7.5),), **of_experiment,
            ),
            Run(
                4, project="mine", name="loose", assignments={"lr": 0.001, "kind": "adam"}, origin="optuna",
                values={"loss": Measurement(math.inf)}, metadata={"a": [1, 2]}, created=8.0, updated=8.0,
            ),
        ]
    )  # fmt: skip
    record = log.experiment(1)
    assert (record.spec.budget, record.epoch, record.updated, dict(record.counts)) == (
        20, 1, 1.0, {"active": 1, "completed": 1, "failed": 1}
    )  # fmt: skip
    assert [project.id for project in log.projects()] == ["old", "mine"]
    assert [event.seq for event in log.events()] == list(range(1, 16))
    log.close()


def test_migrated_log_goes_on(path: Path) -> None:
    """Ids and numbers go on, an old write is recognized, and nothing is wrong with the log."""
    migrate(f"sqlite:///{path}")
    log = open_log(f"sqlite:///{path}")
    assert len(log.identity) == 32
    assert log.apply(RetryRun(3, "node died", time=7.0, epoch=1, key="key-12")).attempt == 2
    reply = log.apply(CreateRun(1, {"x": 0.1}, time=20.0))
    assert (reply.seq, reply.run, reply.number) == (16, 5, 4)
    log.apply(LogText(3, "stdout", "hello", time=21.0))
    log.apply(FinishRun(3, State.COMPLETED, "done", time=22.0))
    assert log.texts(3) == {"stdout": "hello"}
    log.close()
    assert verify(f"sqlite:///{path}").faults == ()


def test_copy_is_the_log_as_it_was(path: Path) -> None:
    copy = migrate(f"sqlite:///{path}").copy
    assert copy is not None
    assert version(copy) == "1"
    with closing(sqlite3.connect(copy)) as connection:
        dumped = "\n".join(connection.iterdump()) + "\n"
    assert dumped == DUMP.read_text(encoding="utf-8")


def test_newer_log_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99'")
    for use in (open_log, verify, migrate):
        with pytest.raises(StorageError, match="upgrade") as caught:
            use(f"sqlite:///{path}")
        assert caught.value.code == "HS-STORAGE-007"
    assert version(path) == "99"


@pytest.mark.slow
def test_killed_migration_leaves_the_old_log_or_the_new_one(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        column = 'name, assignments, state, "values", origin, searcher, why, predicted, end_reason, attempt'
        connection.execute(
            f"""INSERT INTO runs (project, number, created, metadata, {column})
            WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 20000)
            SELECT 'mine', 0, 1.0, '{{}}', {column} FROM runs, many WHERE id = 4"""
        )
    original = path.read_bytes()
    seen = set()
    for delay in (0.0, 0.02, 0.04, 0.08, 0.16, 5.0):
        for stale in path.parent.iterdir():
            stale.unlink()
        path.write_bytes(original)
        command = [sys.executable, "-c", MIGRATING, f"sqlite:///{path}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            deadline = time.monotonic() + delay
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        seen.add(version(path))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        migrate(f"sqlite:///{path}")
        log = open_log(f"sqlite:///{path}")
        assert len(log.runs()) == 20_004
        log.close()
    assert str(VERSION) in seen
    assert seen <= {"1", str(VERSION)}  # nothing in between
