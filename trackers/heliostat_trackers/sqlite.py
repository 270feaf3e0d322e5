"""A run log in one SQLite file: where it lies, and the settings that durability stands on."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event

from heliostat.errors import StorageError
from heliostat_trackers.transactions import exclude_writers
from heliostat_trackers.turns import Turns

SCHEME = "sqlite:///"
BUSY_SECONDS = 30

_WRITER = (
    f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an acknowledged write must survive a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA wal_autocheckpoint=10000",  # a checkpoint is fsyncs too: once for 40 MB, not for 4
)
_READER = (f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}", "PRAGMA query_only=ON")


class SqliteFile:
    """The file behind ``sqlite:///path``; everything after the scheme is the path. Makes its folder.

    Args:
        url: As the user gave it.

    Raises:
        StorageError: The URL names no file, or its folder cannot be made.
    """

    def __init__(self, url: str) -> None:
        self.path = _path(url)
        self.url = self.private_url = f"{SCHEME}{self.path}"
        self.turns = Turns(self.path.with_name(f"{self.path.name}-lock"), BUSY_SECONDS)

    def writing_engine(self) -> Engine:
        """Connections for the one writer: each transaction holds the write lock from its first statement."""
        engine = create_engine(_url(self.path), poolclass=NullPool, connect_args=_arguments())
        _on_connect(engine, _WRITER)
        # With a deferred BEGIN, two processes that read first and write then would fail at once, without
        # waiting.
        exclude_writers(engine, ("BEGIN IMMEDIATE",))
        return engine

    def reading_engine(self) -> Engine:
        """Connections for any thread: each transaction sees one state of the log and delays no writer."""
        engine = create_engine(
            _url(self.path), poolclass=QueuePool, pool_size=4, max_overflow=-1, connect_args=_arguments()
        )
        _on_connect(engine, _READER)
        _on_begin(engine, "BEGIN")
        return engine


def _path(url: str) -> Path:
    name = url.removeprefix(SCHEME)
    if not url.startswith(SCHEME) or name in ("", ":memory:"):
        rule = f"a run log needs a file: {SCHEME}path"
        remedy = "Write sqlite:///heliostat.db; for a throw-away log use a temporary folder."
        raise StorageError(rule, given=url, remedy=remedy, code="HS-STORAGE-009")
    path = Path(name).expanduser().absolute()
    if path.is_dir():
        rule, remedy = "a run log is a file, not a folder", f"Write {SCHEME}{path / 'heliostat.db'}."
        raise StorageError(rule, given=str(path), remedy=remedy, code="HS-STORAGE-009")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        rule = f"the folder of a run log must be there or be made ({error})"
        remedy = "Choose a folder that this user may write."
        raise StorageError(rule, given=str(path.parent), remedy=remedy, code="HS-STORAGE-005") from error
    return path


def _url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


def _arguments() -> dict[str, Any]:
    # isolation_level=None: the module must not begin or commit anything by itself.
    return {"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None}


def _on_connect(engine: Engine, settings: tuple[str, ...]) -> None:
    def connected(connection: SqliteConnection, _: Any) -> None:
        try:
            for setting in settings:
                connection.execute(setting).close()
        except BaseException:
            connection.close()
            raise

    event.listen(engine, "connect", connected)


def _on_begin(engine: Engine, statement: str) -> None:
    def begun(connection: Connection) -> None:
        # Through the driver: SQLAlchemy's bookkeeping would be a fifth of the writer's time.
        driver: Any = connection.connection.driver_connection
        driver.execute(statement).close()

    event.listen(engine, "begin", begun)
