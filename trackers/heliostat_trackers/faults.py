"""Database errors in the words of :class:`~heliostat.errors.StorageError`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SqliteError

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)

from heliostat.errors import NotFound, StorageError

DATABASE_ERRORS = (SQLAlchemyError, SqliteError)

_UNSTORABLE = (
    DataError,
    InterfaceError,
    IntegrityError,
    ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,  # UnicodeEncodeError is one
)
_ABOUT_DATA = ("22", "23", "42", "54")
"""SQL's classes of states that tell of the data: wrong values, broken rules, wrong types, too large."""

_NOT_ABOUT_DATA = ("42501", "42P01", "42703")  # no right to the tables, which are not there, or others
_OUT_OF_RANGE = "22003"

_ROOM = "Make room on the disk, then send the write again with the same key."
_WAIT = "Another process holds the log; end it, or write through one process."
_RIGHT = "Give this user the right to write the file and its folder."
_SERVER = "See that the database server runs and can be reached, then send the write again with the same key."
_ACCESS = "Check user and password; libpq also looks at PGPASSWORD and ~/.pgpass."
_TABLES = "Give this user the right to write the log's tables, on the primary server."
_CROWDED = ("HS-STORAGE-012", "Raise max_connections, or log through one writer with a ray:// URL.")

_KINDS = (
    ("full", "HS-STORAGE-002", _ROOM),
    ("locked", "HS-STORAGE-003", _WAIT),
    ("busy", "HS-STORAGE-003", _WAIT),
    ("not a database", "HS-STORAGE-004", "Choose another file; this one is left as it is."),
    ("malformed", "HS-STORAGE-004", "Restore the file from a copy; `sqlite3 FILE .recover` saves the rest."),
    ("readonly", "HS-STORAGE-005", _RIGHT),
    ("unable to open", "HS-STORAGE-005", _RIGHT),
    ("i/o", "HS-STORAGE-002", "Check the disk and its quota, then send the write again with the same key."),
)
_STATES = (
    ("53100", "HS-STORAGE-002", _ROOM),
    ("53300", *_CROWDED),
    ("53", "HS-STORAGE-002", "The server is short of memory or files: see its own log."),
    ("55P03", "HS-STORAGE-003", _WAIT),
    ("25006", "HS-STORAGE-005", _TABLES),
    ("42501", "HS-STORAGE-005", _TABLES),
    ("28", "HS-STORAGE-013", _ACCESS),
    ("XX", "HS-STORAGE-004", "The server found damaged data: see its own log, and restore a back-up."),
    ("58", "HS-STORAGE-002", "The server cannot use its disk: see its own log."),
    ("08", "HS-STORAGE-012", _SERVER),
    ("57P", "HS-STORAGE-012", _SERVER),
)
"""By the first letters of PostgreSQL's five-letter code."""

_REFUSALS = (
    (r"too many (clients|connections)|remaining connection slots", *_CROWDED),
    (r"authentication failed|no password supplied", "HS-STORAGE-013", _ACCESS),
    (
        r"no pg_hba.conf entry",
        "HS-STORAGE-013",
        "Let the server's pg_hba.conf admit this user from this machine.",
    ),
    (r"permission denied for", "HS-STORAGE-013", "Let this user in with: GRANT CONNECT ON DATABASE …"),
    (r'role "(.*)" does not exist', "HS-STORAGE-013", "Make the user on the server with: createuser {}"),
    (r'database "(.*)" does not exist', "HS-STORAGE-014", "Make it on the server with: createdb {}"),
)
"""By what a server says that does not let us in: there is no code then."""

_PASSING_STATES = ("08", "57P", "57014", "25P03", "40", "53300")


def storage_error(error: BaseException, url: str) -> StorageError:
    """A new StorageError that says what the database refused and what to do about it."""
    cause = _cause(error)
    text = " ".join(str(cause).split())
    code, remedy = _kind(cause, text)
    return StorageError(f"the run log {url} failed: {text}", remedy=remedy, code=code)


def concerns_the_write(error: Exception) -> bool:
    """Whether the error tells of what one write holds, not of the disk, the file or the server."""
    state = _state(_cause(error))
    if state is not None:
        return state[:2] in _ABOUT_DATA and state not in _NOT_ABOUT_DATA
    if isinstance(error, StatementError) and error.orig is not None and not isinstance(error, DBAPIError):
        return True  # a value could not even be handed to the driver
    return isinstance(error, _UNSTORABLE) and not _is_lost(error)


def passes_by_itself(error: Exception) -> bool:
    """Whether the same may succeed a little later: the server restarts, a connection broke."""
    cause = _cause(error)
    state = _state(cause)
    if state is not None:
        return state.startswith(_PASSING_STATES)
    refusal = _refusal(str(cause))
    return _is_lost(error) and (refusal is None or refusal == _CROWDED)


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
        if _state(_cause(error)) == _OUT_OF_RANGE:
            raise _too_large() from None
        raise storage_error(error, url) from error
    except OverflowError:
        raise _too_large() from None


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _state(cause: BaseException) -> str | None:
    return getattr(cause, "sqlstate", None)


def _is_lost(error: BaseException) -> bool:
    """A failure of PostgreSQL's connection itself, for which the server gave no code."""
    cause = _cause(error)
    kind = type(cause)
    return kind.__module__.startswith("psycopg") and kind.__name__ in ("OperationalError", "InterfaceError")


def _refusal(text: str) -> tuple[str, str] | None:
    """Code and remedy if the server has answered, but does not let us in."""
    for pattern, code, remedy in _REFUSALS:
        found = re.search(pattern, text)
        if found is not None:
            return code, remedy.format(*found.groups())
    return None


def _kind(cause: BaseException, text: str) -> tuple[str, str]:
    state = _state(cause)
    if state is not None:
        for start, code, remedy in _STATES:
            if state.startswith(start):
                return code, remedy
        return "HS-STORAGE-001", "See the server's own log."
    if _is_lost(cause):
        return _refusal(text) or ("HS-STORAGE-012", _SERVER)
    for words, code, remedy in _KINDS:
        if words in text.lower():
            return code, remedy
    return "HS-STORAGE-001", "Check the file and its disk."


def _too_large() -> NotFound:
    return NotFound("no object has an id of more than 64 bits", remedy="Check the id.")
