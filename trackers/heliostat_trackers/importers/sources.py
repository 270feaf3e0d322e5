"""What all readers say about sources that are not there or are something else."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from heliostat.errors import InvalidValue, NotFound

SQLITE = "sqlite:///"


def existing(path: str | Path, what: str) -> Path:
    """The path of a source that must be there: readers never make one.

    Raises:
        NotFound: It is not.
    """
    found = Path(path).expanduser()
    if not found.exists():
        remedy = "Check the spelling, and the folder that you are in."
        raise NotFound(f"there is no {what} at {path}", remedy=remedy, code="HS-NOTFOUND-010")
    return found


def sqlite_file(url: str, what: str, tables: Collection[str]) -> Path | None:
    """The file behind a SQLite URL, known to be what it should be; ``None`` for other databases.

    It is looked at first because the libraries that open it make a missing file, and missing tables in any.

    Args:
        url: A database's URL.
        what: What it should be, for people.
        tables: Some that such a database has.

    Raises:
        NotFound: There is no such file.
        InvalidValue: It is no SQLite file, or another program's.
    """
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] != "sqlite" or not rest.startswith("/"):
        return None
    path = existing(rest.removeprefix("/").partition("?")[0], what)
    try:
        with closing(reading(path)) as connection:
            found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise unreadable(url, f"an {what}", error) from None
    if not found.issuperset(tables):
        raise InvalidValue("source", f"is no {what}: it has other tables", given=url, code="HS-VALUE-010")
    return path


def reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def unreadable(source: object, what: str, error: Exception) -> InvalidValue:
    """The error for a source that is there and is not what the reader reads."""
    lines = str(error).strip().splitlines()
    rule = f"is not {what} that this version can read ({type(error).__name__}: {lines[0] if lines else ''})"
    return InvalidValue("source", rule, given=str(source), code="HS-VALUE-010")
