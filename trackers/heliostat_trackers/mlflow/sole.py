"""One mirror at a time for a log and a server: two would each make a run before they see the other's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heliostat.errors import Conflict
from heliostat.ports import RunLog

_SQLITE = "sqlite:///"


@contextlib.contextmanager
def sole_mirror(log: RunLog, uri: str) -> Iterator[None]:
    """Hold the place of the one mirror.

    For a log in a SQLite file the place is a file beside it, for PostgreSQL a lock in the database, for
    others (a log behind a head node) a file in this machine's temporary folder. The end of the process frees
    it.

    Raises:
        Conflict: Another mirror holds it.
    """
    name = hashlib.sha256(f"{log.identity} {uri.rstrip('/')}".encode()).hexdigest()[:16]
    if log.url.startswith("postgresql"):
        holder = _in_database(log.private_url, int(name[:15], 16))
    elif log.url.startswith(_SQLITE):
        path = Path(log.url.removeprefix(_SQLITE))
        holder = _in_file([path.with_name(f"{path.name}-mlflow-{name[:8]}"), _spare(name)])
    else:
        holder = _in_file([_spare(name)])
    with holder:
        yield


def _spare(name: str) -> Path:
    return Path(tempfile.gettempdir(), f"heliostat-mlflow-{name}")


@contextlib.contextmanager
def _in_file(places: list[Path]) -> Iterator[None]:
    import fcntl

    for path in places:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # a folder that may only be read
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise _taken() from None
        try:
            yield
        finally:
            # The file stays: whoever deletes one that another process has opened would let two in.
            os.close(file)
        return
    yield


@contextlib.contextmanager
def _in_database(url: str, key: int) -> Iterator[None]:
    from sqlalchemy import text

    from heliostat_trackers.engines import database_at

    engine = database_at(url).reading_engine()
    try:
        connection: Any = engine.connect()
        with contextlib.closing(connection):
            is_mine = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar()
            connection.rollback()  # the lock is the connection's, not the transaction's
            if not is_mine:
                raise _taken()
            yield
            connection.invalidate()
    finally:
        engine.dispose()


def _taken() -> Conflict:
    rule = "a log has one mirror at a time to a server, and one is at work"
    return Conflict(rule, remedy="Leave it to that one, or end it first.", code="HS-MLFLOW-005")
