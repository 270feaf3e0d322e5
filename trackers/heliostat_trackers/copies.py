"""Whole logs from one place to another: as a file, and row by row between databases."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    NullPool,
    Table,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)

from heliostat.errors import StorageError
from heliostat_trackers.tables import metadata

_ROWS = 1000
_LARGE_ROWS = 4
"""Rows with contents of files go in small helpings: each may have 64 MiB."""

NUL = "\0"
NUL_SIGN = "␀"
"""What stands for the one character that PostgreSQL's texts cannot hold."""

Counts = dict[str, int]


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[Path]:
    """A name to write a file under; what is there at the end gets its real name, at once and durably.

    Raises:
        StorageError: There is such a file already, or it cannot be written.
    """
    _refuse_existing(target, force)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        _synced(part, os.O_RDWR)
        if force:
            os.replace(part, target)
        else:
            os.link(part, target)  # unlike a renaming, it fails if somebody else was quicker
        _synced(target.parent, os.O_RDONLY)
    except FileExistsError:
        _refuse_existing(target, force)
    except OSError as error:
        rule = f"the copy cannot be written ({error.strerror or error})"
        remedy = "Choose a folder with room that this user may write."
        raise StorageError(rule, given=str(target), remedy=remedy, code="HS-STORAGE-002") from error
    finally:
        for name in (part, *(part.with_name(f"{part.name}{end}") for end in ("-journal", "-wal", "-shm"))):
            name.unlink(missing_ok=True)


def copy_file(source: Path, target: Path) -> None:
    """One state of a SQLite file, while others write to it; the copy is a single file.

    Raises:
        sqlite3.Error: The file cannot be read, or the copy not be written.
    """
    address = f"{source.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, timeout=30)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)  # in one step: in steps it would begin anew after each write of others
        # The copy says of itself that a write-ahead log lies beside it, which it does not need.
        writing.execute("PRAGMA journal_mode=DELETE").close()


def file_engine(path: Path) -> Engine:
    """Connections to a new file that nobody else knows of yet: no care is needed before it is complete."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    return engine


def copy_rows(source: Connection, target: Connection) -> tuple[Counts, int]:
    """All rows of all tables into tables that hold none but those of a new log; then ids go on.

    Args:
        source: In a transaction that sees one state.
        target: In a transaction that excludes other writers.

    Returns:
        Rows by table, and how many texts held a character that the target cannot.
    """
    counts, changed = {}, 0
    for table in reversed(metadata.sorted_tables):
        target.execute(delete(table))
    for table in metadata.sorted_tables:
        counts[table.name] = 0
        for rows in _helpings(source, table):
            if target.dialect.name == "postgresql":
                changed += sum(_without_nul(row) for row in rows)
            target.execute(insert(table), rows)
            counts[table.name] += len(rows)
    if target.dialect.name == "postgresql":
        _set_sequences(target)
    return counts, changed


def counted(connection: Connection) -> Counts:
    """Rows by table, of those that are there."""
    there = set(inspect(connection).get_table_names())
    tables = [table for table in metadata.sorted_tables if table.name in there]
    counting = ((table.name, select(func.count()).select_from(table)) for table in tables)
    return {name: connection.scalar(count) or 0 for name, count in counting}


def _helpings(source: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    is_large = any(isinstance(column.type, LargeBinary) for column in table.c)
    size = _LARGE_ROWS if is_large else _ROWS
    ordered = select(table).order_by(*table.primary_key)
    streamed = source.execute(ordered, execution_options={"yield_per": size})
    for partition in streamed.mappings().partitions():
        yield [dict(row) for row in partition]


def _without_nul(row: dict[str, Any]) -> int:
    """Replace what PostgreSQL cannot hold; how many texts it changed."""
    found = [name for name, value in row.items() if isinstance(value, str) and NUL in value]
    for name in found:
        row[name] = row[name].replace(NUL, NUL_SIGN)
    return len(found)


def _set_sequences(target: Connection) -> None:
    """Let each counter go on after the highest id that was copied."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        highest = target.scalar(select(func.max(column)))
        if highest is not None:
            statement = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
            target.execute(statement, {"table": table.name, "column": column.name, "highest": highest})


def _refuse_existing(target: Path, force: bool) -> None:
    if target.is_dir():
        rule, remedy = "the copy is a file, not a folder", "Give the file's name too."
        raise StorageError(rule, given=str(target), remedy=remedy, code="HS-STORAGE-009")
    if target.exists() and not force:
        rule, remedy = "there is a file of that name already", "Choose another name, or say --force."
        raise StorageError(rule, given=str(target), remedy=remedy, code="HS-STORAGE-016")
    if target.with_name(f"{target.name}-wal").exists():
        # Its write-ahead log would be played into the copy.
        rule, remedy = "the file of that name is in use by SQLite", "Choose another name."
        raise StorageError(rule, given=str(target), remedy=remedy, code="HS-STORAGE-016")


def _synced(path: Path, how: int) -> None:
    place = os.open(path, how)
    try:
        os.fsync(place)
    finally:
        os.close(place)
