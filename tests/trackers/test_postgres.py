"""What is particular to the run log in a PostgreSQL database: the server, the passwords, the order."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from heliostat.errors import InvalidValue, NotFound, StorageError
from heliostat.registry import open_log as open_any
from heliostat.testing.postgres import PostgresServer, server_programs, shared_server
from heliostat.trial import Checkpoint
from heliostat.writes import CreateRun, LogCheckpoints, SettleProject
from heliostat_trackers.engines import database_at
from heliostat_trackers.store import SqlRunLog, open_log

pytestmark = pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")

SECRET = "s3cr3t/@:?é"


def new_run(**changes: object) -> CreateRun:
    return CreateRun(None, {}, time=1.0, **changes)  # type: ignore[arg-type]


@pytest.fixture
def server() -> PostgresServer:
    return shared_server()


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.new_schema()


@pytest.fixture
def log(url: str) -> Iterator[SqlRunLog]:
    log = open_log(url)
    yield log
    log.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that tests may kill."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def guarded_url(own_server: PostgresServer) -> str:
    """A log whose owner needs a password."""
    own_server.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
    own_server.execute("CREATE DATABASE guarded OWNER guarded")
    return own_server.url("guarded", f"guarded:{quote(SECRET, safe='')}")


def test_restart_of_the_server_is_waited_for(own_server: PostgresServer) -> None:
    log = open_log(own_server.new_schema())
    first = log.apply(new_run())
    own_server.kill()
    with ThreadPoolExecutor(8) as pool:
        writes = [new_run(name=str(index)) for index in range(40)]
        replies = pool.map(log.apply, writes)
        runs = pool.submit(log.runs)
        own_server.start()
        assert len({reply.run for reply in [first, *replies]}) == 41
        assert len(runs.result()) <= 41
    assert [log.apply(write).run for write in writes] == [
        next(run.id for run in log.runs() if run.name == write.name) for write in writes
    ]
    log.close()


def test_server_that_stays_away(own_server: PostgresServer) -> None:
    log = SqlRunLog(own_server.new_schema(), patience=0.5)
    write = new_run()
    own_server.kill()
    try:
        for use in (lambda: log.apply(write), log.runs):
            with pytest.raises(StorageError) as caught:
                use()
            assert caught.value.code == "HS-STORAGE-012"
            assert "server" in caught.value.remedy
    finally:
        own_server.start()
    assert log.apply(write).run == log.runs()[0].id
    log.close()


def test_ended_connections_are_made_anew(server: PostgresServer, log: SqlRunLog) -> None:
    log.apply(new_run())
    log.runs()
    stop = threading.Event()

    def end_connections() -> None:
        while not stop.is_set():
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'heliostat'"
            )

    thread = threading.Thread(target=end_connections)
    thread.start()
    runs = [log.apply(new_run()).run for _ in range(30)]
    stop.set()
    thread.join()
    assert [run.id for run in log.runs()][1:] == runs


def test_full_restart_by_an_administrator(own_server: PostgresServer) -> None:
    log = open_log(own_server.new_schema())
    log.apply(new_run())
    own_server.stop()
    future = log.submit(new_run())
    own_server.start()
    assert future.result().run == log.runs()[-1].id
    log.close()


def test_password_is_not_shown(guarded_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(guarded_url)
    log.apply(new_run())
    for text in (log.url, repr(log)):
        assert "s3cr3t" not in text
    log.close()
    assert "s3cr3t" in log.private_url
    again = open_log(log.url)  # this process knows the password
    assert len(again.runs()) == 1
    with pytest.raises(StorageError) as caught:
        again.apply(new_run())
        again.close()
        again.runs()
    assert "s3cr3t" not in str(caught.value)


def test_password_may_stand_in_the_variable(guarded_url: str) -> None:
    plain = database_at(guarded_url).url
    script = "import sys; from heliostat.registry import open_log; print(len(open_log(sys.argv[1]).runs()))"
    command = [sys.executable, "-c", script, plain]
    for variables in ({"HELIOSTAT_LOG": guarded_url}, {"PGPASSWORD": SECRET}):
        environment = {**os.environ, **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout.strip().isdigit(), done.stderr
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "HS-STORAGE-013" in refused.stderr


def test_wrong_password(own_server: PostgresServer, guarded_url: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_log(own_server.url("guarded", "guarded:wr0ng"))
    assert (caught.value.code, "wr0ng" in str(caught.value)) == ("HS-STORAGE-013", False)


def test_missing_database(server: PostgresServer) -> None:
    with pytest.raises(StorageError, match="createdb nowhere") as caught:
        open_log(server.url("nowhere"))
    assert caught.value.code == "HS-STORAGE-014"


def test_nobody_listens() -> None:
    with pytest.raises(StorageError) as caught:
        SqlRunLog("postgresql://me:s3cr3t@127.0.0.1:1/x", patience=0.2)
    assert (caught.value.code, "s3cr3t" in str(caught.value)) == ("HS-STORAGE-012", False)


@pytest.mark.parametrize("text", ["postgresql+psycopg2://h/x", "postgresql://u:s3cr3t@h:port/x"])
def test_unreadable_url(text: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_any(text)
    assert (caught.value.code, "s3cr3t" in str(caught.value)) == ("HS-STORAGE-009", False)


def test_read_only_server(server: PostgresServer) -> None:
    server.execute("CREATE ROLE looker LOGIN")
    server.execute("ALTER ROLE looker SET default_transaction_read_only = on")
    with pytest.raises(StorageError) as caught:
        open_log(server.url(user="looker"))
    assert caught.value.code == "HS-STORAGE-005"


def test_too_many_connections(server: PostgresServer) -> None:
    server.execute("CREATE ROLE lonely LOGIN CONNECTION LIMIT 0")
    with pytest.raises(StorageError) as caught:
        SqlRunLog(server.url(user="lonely"), patience=0.2)
    assert (caught.value.code, "max_connections" in caught.value.remedy) == ("HS-STORAGE-012", True)


def test_commits_are_durable_whatever_the_server_says(server: PostgresServer) -> None:
    url = server.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with database_at(url).writing_engine().begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_database_of_another_program(server: PostgresServer) -> None:
    url = server.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    server.execute("CREATE TABLE meta (name text)", name)
    with pytest.raises(StorageError, match="another program"):
        open_log(url)


def test_too_long_names_are_refused_alone(log: SqlRunLog) -> None:
    """PostgreSQL's indices hold some 2,700 bytes; such a text is the write's fault, not the server's."""
    run = log.apply(new_run()).run
    assert run is not None
    name = "".join(chr(0x4E00 + index % 20_000) for index in range(20_000))
    bad = [LogCheckpoints(run, (Checkpoint(1, {name: 1.0}),)), SettleProject(name, time=1.0)]
    futures = [log.submit(write) for write in (bad[0], new_run(), bad[1], new_run())]
    assert [type(future.exception()) for future in futures] == [InvalidValue, type(None)] * 2
    assert len(log.runs()) == 3


def test_ids_beyond_any_database(log: SqlRunLog) -> None:
    for id in (2**40, 2**70):
        for read in (log.run, log.experiment):
            with pytest.raises(NotFound):
                read(id)
