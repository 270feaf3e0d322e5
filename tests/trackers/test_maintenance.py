"""Back-up, restoring and checking, in both databases and between them."""

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heliostat.cli import main
from heliostat.errors import InvalidValue, NotFound, StorageError
from heliostat.ports import RunLog
from heliostat.testing.postgres import server_programs, shared_server
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import (
    AddFile,
    AddNote,
    CreateExperiment,
    CreateRun,
    CreateSuggestion,
    CreateTag,
    CreateToken,
    FinishRun,
    FreezeReport,
    LogCheckpoints,
    LogLateValues,
    LogText,
    RetryRun,
    SettleProject,
    UpdateRun,
)
from heliostat_trackers.engines import database_at
from heliostat_trackers.maintenance import backup, migrate, restore, verify
from heliostat_trackers.store import SqlRunLog, open_log
from heliostat_trackers.tables import VERSION

SPEC = {
    "name": "kept",
    "project": "care",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": ["accuracy"],
}
needs_postgres = pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
STORES = ["sqlite", pytest.param("postgresql", marks=needs_postgres)]
NewUrl = Callable[[str], str]


@pytest.fixture
def new_url(tmp_path: Path) -> NewUrl:
    """The URL of a new place for a log in a kind of database."""
    places = iter(range(100))
    return lambda kind: (
        shared_server().new_schema()
        if kind == "postgresql"
        else f"sqlite:///{tmp_path / f'log{next(places)}.db'}"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A SQLite log with something of everything."""
    path = tmp_path / "full.db"
    filled(f"sqlite:///{path}").close()
    return path


def filled(url: str) -> SqlRunLog:
    """A log with at least a row in every table."""
    log = open_log(url)
    experiment = log.apply(CreateExperiment(SPEC, time=1.0)).experiment
    runs = [log.apply(CreateRun(experiment, {"x": 0.1 * index}, time=2.0)).run for index in range(4)]
    loose = log.apply(CreateRun(None, {"kind": "adam"}, time=2.0, project="loose", metadata={"a": [1]})).run
    assert experiment is not None
    for run in (*runs, loose):
        assert run is not None
        points = tuple(Checkpoint(step, {"accuracy": step / 9, "loss": 1 / (step + 1)}) for step in range(9))
        log.submit(LogCheckpoints(run, points))
        log.submit(LogText(run, "stdout", "line\n\0 naïve 🦉 \ud800", time=3.0))
    assert runs[0] is not None
    assert runs[1] is not None
    assert loose is not None
    log.apply(RetryRun(runs[1], "node", time=4.0))
    log.apply(LogText(runs[1], "stdout", "again", time=4.0))
    log.apply(FinishRun(runs[0], State.COMPLETED, "done", time=5.0, values={"accuracy": Measurement(0.9)}))
    log.apply(FinishRun(loose, State.FAILED, "raised", time=5.0, failure=Failure("user_error", "boom")))
    log.apply(AddFile(loose, "plot", bytes(range(256)) * 40, time=6.0, content_type="image/png"))
    log.apply(LogLateValues(loose, "production", {"loss": Measurement(0.5, 0.1)}, at=99.0, time=7.0))
    log.apply(UpdateRun(loose, time=8.0, tags={"best": True}, note="# hi", favorite=True))
    log.apply(SettleProject("loose", time=9.0, name="Loose ends", metadata={"b": 2}))
    log.apply(AddNote("care", "remember", time=9.0))
    log.apply(CreateTag("best", "#00ff00", time=9.0))
    log.apply(CreateToken("0" * 64, "ci", time=9.0))
    log.apply(CreateSuggestion(experiment, {"x": 0.7}, time=9.0))
    log.apply(FreezeReport(experiment, "then", b"\x1f\x8b a page", time=9.0, comment="it was"))
    return log


def content(log: RunLog) -> list[Any]:
    """All that a log can be asked for."""
    runs = log.runs(curves=True)
    listed = [file for run in runs for file in log.files(run.id)]
    return [
        log.identity,
        log.experiments(),
        runs,
        [log.texts(run.id) for run in runs],
        [log.file(file.id) for file in listed],
        log.projects(),
        [log.notes(project.id) for project in log.projects()],
        log.tags(),
        log.tokens(),
        [log.suggestions(record.id) for record in log.experiments()],
        [log.report(item.id) for record in log.experiments() for item in log.reports(record.id)],
        log.events(),
    ]


def content_at(url: str) -> list[Any]:
    log = open_log(url)
    try:
        return content(log)
    finally:
        log.close()


def run_cli(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["log", *arguments])
    return done.exit_code, done.output


@pytest.mark.parametrize("kind", STORES)
def test_backup_is_the_same_log(new_url: NewUrl, tmp_path: Path, kind: str) -> None:
    log = filled(new_url(kind))
    done = backup(log.private_url, tmp_path / "copy.db")
    assert done.rows["runs"] == 5
    assert all(done.rows.values()), "a table without a row is not tested"
    assert content_at(f"sqlite:///{tmp_path / 'copy.db'}") == content(log)
    for url in (log.private_url, f"sqlite:///{tmp_path / 'copy.db'}"):
        assert verify(url).faults == ()
    log.close()


@pytest.mark.parametrize("origin", STORES)
@pytest.mark.parametrize("target", STORES)
def test_restored_log_goes_on(new_url: NewUrl, tmp_path: Path, origin: str, target: str) -> None:
    log = filled(new_url(origin))
    backup(log.private_url, tmp_path / "copy.db")
    url = new_url(target)
    restore(tmp_path / "copy.db", url)
    again = open_log(url)
    assert content(again) == content(log)
    new = again.apply(CreateRun(again.experiments()[0].id, {"x": 0.5}, time=20.0))
    assert (new.run, new.number, new.seq) == (log.runs()[-1].id + 1, 5, log.events()[-1].seq + 1)
    assert new.run is not None
    more = [
        again.apply(write).id
        for write in (
            AddFile(new.run, "second", b"x", time=21.0),
            AddNote("care", "more", time=21.0),
            CreateTag("worst", "#ff0000", time=21.0),
            CreateToken("1" * 64, "ci", time=21.0),
            CreateSuggestion(1, {"x": 0.2}, time=21.0),
        )
    ]
    assert more == [2] * 5
    assert again.apply(CreateExperiment(SPEC, time=22.0)).experiment == 2
    again.apply(LogCheckpoints(new.run, (Checkpoint(1, {"new metric": 1.0}),)))
    assert verify(url).faults == ()
    log.close()
    again.close()


@pytest.mark.parametrize("kind", STORES)
def test_backup_while_others_write(new_url: NewUrl, tmp_path: Path, kind: str) -> None:
    log = filled(new_url(kind))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            run = log.apply(CreateRun(1, {"x": 0.5}, time=1.0)).run
            assert run is not None
            log.apply(LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}),)))
            log.apply(FinishRun(run, State.COMPLETED, "done", time=2.0))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            before = len(log.events(limit=1_000_000))
            target = tmp_path / f"copy{number}.db"
            backup(log.private_url, target)
            assert verify(log.private_url).faults == ()
            found = verify(f"sqlite:///{target}")
            assert found.faults == ()
            assert found.rows["events"] >= before
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    copied = content_at(f"sqlite:///{target}")[-1]
    assert copied == log.events(limit=len(copied))
    log.close()


def test_backup_overwrites_nothing(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StorageError, match="--force"):
        backup(f"sqlite:///{path}", target)
    assert target.read_text() == "precious"
    backup(f"sqlite:///{path}", target, force=True)
    assert verify(f"sqlite:///{target}").is_whole
    for force in (False, True):
        with pytest.raises(StorageError):
            backup(f"sqlite:///{path}", path, force=force)
    log = open_log(f"sqlite:///{target}")
    log.apply(CreateRun(None, {}, time=1.0))
    with pytest.raises(StorageError, match="in use"):
        backup(f"sqlite:///{path}", target, force=True)
    log.close()
    assert {entry.name for entry in tmp_path.iterdir()} == {"copy.db", path.name}


def test_backup_into_a_folder_that_is_not_there(path: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "copy.db", tmp_path):
        with pytest.raises(StorageError) as caught:
            backup(f"sqlite:///{path}", target)
        assert caught.value.remedy


def test_restore_needs_an_empty_log(path: Path, new_url: NewUrl, tmp_path: Path) -> None:
    used = filled(new_url("sqlite"))
    before = content(used)
    with pytest.raises(StorageError, match="empty") as caught:
        restore(path, used.url)
    assert (caught.value.code, content(used)) == ("HS-STORAGE-017", before)
    used.close()
    fresh = open_log(new_url("sqlite"))  # open, but without events
    restore(path, fresh.url)
    assert len(fresh.runs()) == 5
    fresh.close()
    with pytest.raises(NotFound):
        restore(tmp_path / "nowhere.db", new_url("sqlite"))


@pytest.mark.parametrize("kind", STORES)
def test_restore_of_an_older_backup(new_url: NewUrl, tmp_path: Path, kind: str) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((Path(__file__).with_name("schema_v1.sql")).read_text(encoding="utf-8"))
    before = old.read_bytes()
    url = new_url(kind)
    restore(old, url)
    assert [run.name for run in open_and_close(url)] == ["done", "failed", "retried", "loose"]
    assert (verify(url).faults, old.read_bytes()) == ((), before)


def open_and_close(url: str) -> list[Any]:
    log = open_log(url)
    runs = log.runs()
    log.close()
    return runs


@needs_postgres
def test_texts_that_postgresql_cannot_hold(new_url: NewUrl, tmp_path: Path) -> None:
    log = open_log(new_url("sqlite"))
    log.apply(CreateRun(None, {}, time=1.0, name="a\0b", metadata={"c": "\0"}))
    backup(log.url, tmp_path / "copy.db")
    url = new_url("postgresql")
    assert restore(tmp_path / "copy.db", url).changed_texts == 1
    (run,) = open_and_close(url)
    assert (run.name, run.metadata) == ("a␀b", {"c": "\0"})
    log.close()


FAULTS = {
    "UPDATE runs SET number = 9 WHERE id = 2": "4 runs have numbers from 1 to 9",
    "UPDATE runs SET project = 'nobody' WHERE id = 2": "which projects does not have",
    "UPDATE runs SET assignments = '{\"x\":NaN}' WHERE id = 3": "row 3 of runs: assignments is no JSON",
    "UPDATE runs SET state = 'lively' WHERE id = 3": "there is no state 'lively'",
    "UPDATE runs SET ended = NULL WHERE id = 1": "run 1 is completed",
    "DELETE FROM runs WHERE id = 4": "there is no run 4",
    "UPDATE experiments SET spec = '{}'": "its declaration cannot be read",
    "UPDATE checkpoints SET attempt = 7 WHERE run = 2": "checkpoints of an attempt that has not begun",
    "DELETE FROM events WHERE kind = 'CreateRun' AND run = 2": "run 2 was made by 0 events",
    "UPDATE events SET reply = '{\"run\":1}' WHERE kind = 'FinishRun'": "tells of another run",
    "UPDATE file_contents SET content = x'00'": "missing or cut short",
    "UPDATE file_contents SET content = zeroblob(10240)": "its content has changed",
    "DELETE FROM meta WHERE key = 'heliostat.identity'": "no identity",
    "DROP TABLE texts": "the table texts is missing",
}


@pytest.mark.parametrize("statement", FAULTS)
def test_verify_finds(path: Path, statement: str) -> None:
    assert verify(f"sqlite:///{path}").is_whole
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    found = verify(f"sqlite:///{path}")
    assert not found.is_whole
    assert FAULTS[statement] in "\n".join(found.faults)
    assert run_cli("verify", "--log", str(path))[0] == 1


def test_verify_finds_a_damaged_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size + 8 : page * size] = b"\xff" * (size - 8)
    path.write_bytes(data)
    assert "malformed" in "\n".join(verify(f"sqlite:///{path}").faults)


@pytest.mark.parametrize("place", ["nowhere.db", "nowhere/log.db"])
def test_care_makes_no_log(tmp_path: Path, place: str) -> None:
    for use in (verify, lambda url: backup(url, tmp_path / "copy.db")):
        with pytest.raises(NotFound):
            use(f"sqlite:///{tmp_path / place}")
    assert not list(tmp_path.iterdir())


def test_care_needs_the_database_itself(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="database itself"):
        verify(f"ray://{tmp_path}/log.db")


def test_command_line(path: Path, tmp_path: Path) -> None:
    copy, other = str(tmp_path / "copy.db"), str(tmp_path / "other.db")
    code, output = run_cli("backup", copy, "--log", str(path))
    assert (code, output) == (
        0,
        f"backed up 1 experiment, 5 runs, 90 checkpoints, 1 file, {events(path)} events to {copy}\n",
    )
    assert run_cli("backup", copy, "--log", str(path))[0] == 2
    assert run_cli("backup", copy, "--force", "--log", str(path), "--json")[0] == 0
    code, output = run_cli("restore", copy, "--log", other, "--json")
    assert (code, json.loads(output)["rows"]["runs"]) == (0, 5)
    code, output = run_cli("verify", "--log", other)
    assert (code, output.splitlines()[-1]) == (0, "  whole")
    code, output = run_cli("verify", "--log", other, "--json")
    assert json.loads(output)["is_whole"]
    code, output = run_cli("migrate", "--log", other)
    assert (code, "up to date" in output) == (0, True)


def events(path: Path) -> int:
    return verify(str(path)).rows["events"]


def test_backup_delays_no_writer(path: Path, tmp_path: Path) -> None:
    """A copy of 40 MB takes its time; no write waits for its end."""
    log = open_log(f"sqlite:///{path}")
    for index in range(10):
        log.apply(AddFile(1, str(index), bytes(4 * 2**20), time=1.0))
    meanwhile = 0
    thread = threading.Thread(target=backup, args=(log.url, tmp_path / "copy.db"))
    thread.start()
    while thread.is_alive():
        log.apply(CreateRun(None, {}, time=1.0))
        meanwhile += thread.is_alive()
    log.close()
    assert meanwhile >= 3  # were the first one to wait for the copy's end, it would be the only one


@pytest.mark.parametrize("kind", STORES)
def test_a_log_of_schema_2_gets_room_for_reports_and_an_index(new_url: NewUrl, kind: str) -> None:
    """Both databases: what schemas 3 and 4 added is taken away, and comes back with nothing lost."""
    log_url = new_url(kind)
    log = open_log(log_url)
    experiment = log.apply(CreateExperiment(SPEC, time=1.0)).experiment or 0
    log.close()
    engine = database_at(log_url).writing_engine()
    with engine.begin() as connection:
        for statement in (
            "DROP TABLE report_contents",
            "DROP TABLE reports",
            "DROP INDEX runs_by_state",
            "UPDATE meta SET value = '2' WHERE key = 'heliostat.schema'",
        ):
            connection.exec_driver_sql(statement)
    assert (migrate(log_url).before, migrate(log_url).before) == (2, VERSION)
    log = open_log(log_url)
    id = log.apply(FreezeReport(experiment, "now", b"page", time=2.0)).id or 0
    assert log.report(id)[1] == b"page"
    log.close()
    assert verify(log_url).faults == ()
