"""Statements that run for every write: compiled once and handed to the driver's own cursor.

SQLAlchemy says what they are and in which dialect; its bookkeeping around each execution would cost several
times what the database's own work does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase

Parameters = Mapping[str, Any]

_CURSOR = "heliostat.cursor"
_NAMED = re.compile(r"%\((\w+)\)s")


class Prepared:
    """One statement over columns that need no conversion: texts, numbers, flags.

    Args:
        statement: A select, insert, update or delete; parameters that name columns are set, others are bound.
    """

    def __init__(self, statement: SelectBase | UpdateBase) -> None:
        self._statement = statement
        self._texts: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}

    def first(self, connection: Connection, parameters: Parameters) -> Any:
        """The first row as a tuple, or ``None``; what an insert with RETURNING made.

        Raises:
            DBAPIError: As SQLAlchemy itself would raise it.
        """
        return next(iter(self.all(connection, parameters)), None)

    def all(self, connection: Connection, parameters: Parameters) -> list[Any]:
        """All rows as tuples."""
        text, names = self._text(connection, parameters)
        with _cursor(connection, text) as cursor:
            cursor.execute(text, _bound(parameters, names))
            return list(cursor.fetchall())

    def run(self, connection: Connection, parameters: Parameters) -> None:
        """Execute for its effect."""
        text, names = self._text(connection, parameters)
        with _cursor(connection, text) as cursor:
            cursor.execute(text, _bound(parameters, names))

    def run_many(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Execute for its effect with each of several rows of the same columns."""
        if len(rows) == 1:  # drivers make much more of several
            self.run(connection, rows[0])
            return
        text, names = self._text(connection, rows[0])
        with _cursor(connection, text) as cursor:
            cursor.executemany(text, [_bound(row, names) for row in rows])

    def insert_all(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Insert rows of the same columns, in one statement however many there are: one round trip."""
        text, names = self._text(connection, rows[0])
        insertion, _, values = text.partition(" VALUES ")
        text = f"{insertion} VALUES {', '.join([values] * len(rows))}"
        with _cursor(connection, text) as cursor:
            cursor.execute(text, [row[name] for row in rows for name in names])

    def _text(self, connection: Connection, parameters: Parameters) -> tuple[str, tuple[str, ...]]:
        key = (connection.dialect.name, tuple(parameters))
        if key not in self._texts:
            self._texts[key] = self._compiled(connection, parameters)
        return self._texts[key]

    def _compiled(self, connection: Connection, parameters: Parameters) -> tuple[str, tuple[str, ...]]:
        is_select = isinstance(self._statement, SelectBase)
        columns = None if is_select else list(parameters)
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=columns)
        if compiled.positional:
            return str(compiled), tuple(compiled.positiontup or ())
        text = str(compiled)
        return _NAMED.sub("%s", text), tuple(_NAMED.findall(text))


def _bound(row: Parameters, names: tuple[str, ...]) -> list[Any]:
    return [row[name] for name in names]


@contextmanager
def _cursor(connection: Connection, text: str) -> Iterator[Any]:
    """The one cursor that the driver's connection keeps for these statements; all of its results are read."""
    driver = connection.dialect.loaded_dbapi
    cursor = connection.info.get(_CURSOR)
    if cursor is None:
        cursor = connection.info[_CURSOR] = connection.connection.cursor()
    try:
        yield cursor
    except driver.Error as error:
        raise DBAPIError.instance(text, None, error, driver.Error, dialect=connection.dialect) from error
