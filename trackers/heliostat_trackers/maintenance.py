"""Care for run logs: back-up, restoring, checking, bringing up to date.

A back-up is one SQLite file whatever the log lies in, and is a run log itself. Restored into another database
it moves the log there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from heliostat.errors import InvalidValue, NotFound, StorageError
from heliostat.registry import log_url
from heliostat_trackers.checks import faults_in
from heliostat_trackers.copies import copy_file, copy_rows, counted, file_engine, new_file
from heliostat_trackers.engines import Database, database_at
from heliostat_trackers.faults import translated
from heliostat_trackers.migrations import bring_up_to_date
from heliostat_trackers.postgres import DRIVERS
from heliostat_trackers.sqlite import SCHEME, SqliteFile
from heliostat_trackers.tables import VERSION, check_tables, events, found_version, metadata, settle_tables


@dataclass(frozen=True)
class Copy:
    """What a back-up or a restoring did.

    Args:
        target: The new file, or the log restored into.
        rows: How many, by table.
        changed_texts: Texts with NUL characters, which PostgreSQL cannot hold: ``␀`` stands for each.
    """

    target: str
    rows: Mapping[str, int]
    changed_texts: int = 0


@dataclass(frozen=True)
class Verification:
    """What a check of a log found.

    Args:
        url: The log.
        version: Its schema.
        rows: How many, by table.
        faults: What is wrong, in words; empty if the log is whole.
    """

    url: str
    version: int
    rows: Mapping[str, int]
    faults: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


@dataclass(frozen=True)
class Migration:
    """What bringing a log up to date did.

    Args:
        url: The log.
        before: Its schema before.
        after: Its schema now.
        copy: The file as it was, if anything was changed.
    """

    url: str
    before: int
    after: int = VERSION
    copy: Path | None = None


def backup(url: str, target: str | Path, *, force: bool = False) -> Copy:
    """Copy one state of a log into a new SQLite file, while others write to the log.

    Args:
        url: Where the log lies.
        target: The new file.
        force: Whether it may replace a file.

    Raises:
        NotFound: There is no such log.
        StorageError: There is such a file, or one of them cannot be used.
    """
    database, file = _existing(url), Path(target).expanduser().absolute()
    if isinstance(database, SqliteFile) and file.exists() and file.samefile(database.path):
        rule, remedy = "a log cannot be its own back-up", "Choose another name."
        raise StorageError(rule, given=str(file), remedy=remedy, code="HS-STORAGE-016")
    with translated(database.url), new_file(file, force=force) as part:
        with _snapshot(database) as source:
            if isinstance(database, SqliteFile):
                found_version(source)  # of any version, but a run log
                copy_file(database.path, part)
            else:
                check_tables(source)
                with file_engine(part).begin() as copied:
                    metadata.create_all(copied)
                    copy_rows(source, copied)
        with _snapshot(SqliteFile(f"{SCHEME}{part}")) as copied:
            rows = counted(copied)
    return Copy(str(file), rows)


def restore(source: str | Path, url: str) -> Copy:
    """Bring a back-up's rows into a new or empty log, in one transaction; ids and identity stay.

    A back-up of an older Heliostat is brought up to date on the way; the file itself stays as it is.

    Args:
        source: The back-up.
        url: Where the log shall lie.

    Raises:
        NotFound: There is no such back-up.
        StorageError: The log has events already, or one of them cannot be used.
    """
    file = Path(source).expanduser().absolute()
    if not file.is_file():
        raise NotFound("there is no such back-up", given=str(file), remedy="Give the file's path.")
    database = _maintained(url)
    with (
        translated(str(file)),
        _up_to_date(SqliteFile(f"{SCHEME}{file}")) as current,
        _snapshot(current) as rows,
    ):
        check_tables(rows)
        with translated(database.url), _writing(database) as target:
            settle_tables(target)
            _refuse_events(target, database.url)
            counts, changed = copy_rows(rows, target)
    return Copy(database.url, counts, changed)


def verify(url: str) -> Verification:
    """Look for anything that must not be, in one state of the log, while others write to it.

    Args:
        url: Where the log lies.

    Raises:
        NotFound: There is no such log.
        StorageError: It cannot be opened, is not a run log, or is another version's.
    """
    database = _existing(url)
    with translated(database.url), _snapshot(database) as connection:
        check_tables(connection)
        return Verification(database.url, VERSION, counted(connection), tuple(faults_in(connection)))


def migrate(url: str) -> Migration:
    """Bring an older log up to date, in one transaction; of a file, a copy is kept beside it.

    Args:
        url: Where the log lies.

    Raises:
        NotFound: There is no such log.
        StorageError: It cannot be opened, is not a run log, or is a newer Heliostat's.
    """
    database = _existing(url)
    with translated(database.url):
        with _snapshot(database) as connection:
            version = found_version(connection)
        if version is None or version == VERSION:
            return Migration(database.url, VERSION)
        with _writing(database) as connection:
            version = found_version(connection) or VERSION  # from here on nobody else changes it
            copy = _kept(database, version) if version < VERSION else None
            bring_up_to_date(connection, version)
    return Migration(database.url, version, copy=copy)


def _existing(url: str) -> Database:
    path = Path(log_url(url).removeprefix(SCHEME)).expanduser()
    if log_url(url).startswith(SCHEME) and not path.is_file():
        remedy = "Say where it is with --log PATH."
        raise NotFound("there is no run log here", given=str(path), remedy=remedy)
    return _maintained(url)


def _maintained(url: str) -> Database:
    text = log_url(url)
    if not text.startswith(SCHEME) and text.partition("://")[0] not in DRIVERS:
        rule = "names no database; a log that is written through another process lies in one"
        remedy = "Give the address of the database itself: a path or postgresql://…"
        raise InvalidValue("log", rule, given=text.partition("://")[0], remedy=remedy)
    return database_at(text)


@contextmanager
def _snapshot(database: Database) -> Iterator[Connection]:
    """One state of the log."""
    engine = database.reading_engine()
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _writing(database: Database) -> Iterator[Connection]:
    """A transaction that excludes other writers."""
    try:
        with database.turns.turn(), database.writing_engine().begin() as connection:
            yield connection
    finally:
        database.turns.close()


@contextmanager
def _up_to_date(file: SqliteFile) -> Iterator[SqliteFile]:
    """The file, or a copy of it with the present schema."""
    with _snapshot(file) as connection:
        version = found_version(connection)
    if version is None or version == VERSION:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="heliostat-restore-") as folder:
        copy = Path(folder) / "log.db"
        copy_file(file.path, copy)
        migrate(f"{SCHEME}{copy}")
        yield SqliteFile(f"{SCHEME}{copy}")


def _refuse_events(target: Connection, url: str) -> None:
    count = target.scalar(select(func.count()).select_from(events))
    if count:
        rule = f"a back-up is restored into an empty log, and {url} has {count} events"
        remedy = "Give the name of a new file or an empty database."
        raise StorageError(rule, remedy=remedy, code="HS-STORAGE-017")


def _kept(database: Database, version: int) -> Path | None:
    if not isinstance(database, SqliteFile):
        return None
    copy = database.path.with_name(f"{database.path.name}.schema{version}")
    with new_file(copy, force=True) as part:
        copy_file(database.path, part)
    return copy
