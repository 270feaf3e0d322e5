"""Database errors in the words of :class:`~heliostat.errors.StorageError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SqliteError

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from heliostat.errors import NotFound, StorageError

DATABASE_ERRORS = (SQLAlchemyError, SqliteError)

_KINDS = (
    ("full", "HS-STORAGE-002", "Make room on the disk, then send the write again with the same key."),
    ("locked", "HS-STORAGE-003", "Another process holds the log; end it, or write through one process."),
    ("busy", "HS-STORAGE-003", "Another process holds the log; end it, or write through one process."),
    ("not a database", "HS-STORAGE-004", "Choose another file; this one is left as it is."),
    ("malformed", "HS-STORAGE-004", "Restore the file from a copy; `sqlite3 FILE .recover` saves the rest."),
    ("readonly", "HS-STORAGE-005", "Give this user the right to write the file and its folder."),
    ("unable to open", "HS-STORAGE-005", "Give this user the right to write the file and its folder."),
    ("i/o", "HS-STORAGE-002", "Check the disk and its quota, then send the write again with the same key."),
)


def storage_error(error: BaseException, url: str) -> StorageError:
    """A new StorageError that says what the database refused and what to do about it."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(cause)
    lowered = text.lower()
    for words, code, remedy in _KINDS:
        if words in lowered:
            return StorageError(f"the run log {url} failed: {text}", remedy=remedy, code=code)
    return StorageError(f"the run log {url} failed: {text}", remedy="Check the file and its disk.")


def closed_error(url: str) -> StorageError:
    """The error of everything that comes after ``close()``."""
    rule = f"the run log {url} is closed"
    return StorageError(
        rule, remedy="Open it again with heliostat.registry.open_log().", code="HS-STORAGE-008"
    )


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise database errors as StorageError, and ids that no database can hold as NotFound."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise storage_error(error, url) from error
    except OverflowError:
        raise NotFound("no object has an id of more than 64 bits", remedy="Check the id.") from None
