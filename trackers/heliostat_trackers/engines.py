"""The databases that hold a run log, by the scheme of its URL.

Both offer the same: a printable ``url``, a ``private_url`` to hand on, a ``writing_engine`` whose
transactions exclude other writers, a ``reading_engine`` whose transactions see one state of the log, and
``turns`` for the processes that write.
"""

from __future__ import annotations

from heliostat_trackers.postgres import DRIVERS, PostgresDatabase
from heliostat_trackers.sqlite import SqliteFile

Database = SqliteFile | PostgresDatabase


def database_at(url: str) -> Database:
    """The database behind a URL.

    Raises:
        StorageError: The URL names none, or its folder cannot be made.
    """
    if url.partition("://")[0] in DRIVERS:
        return PostgresDatabase(url)
    return SqliteFile(url)
