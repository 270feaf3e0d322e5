"""Statements that run for every write: compiled once and handed to the driver's own cursor.

SQLAlchemy says what they are and in which dialect; its bookkeeping around each execution would cost several
times what the database's own work does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, update
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase

from heliostat_trackers.transactions import BEGINNING, refuse, send_beginning

Parameters = Mapping[str, Any]

_CURSOR = "heliostat.cursor"
_SOUGHT = "sought"
_NAMED = re.compile(r"%\((\w+)\)s")
_CAST = re.compile(r"%s::[\w ]+")


class Statement(NamedTuple):
    """Text in the driver's dialect, the values of its placeholders in their order, and whether it asks."""

    text: str
    values: Sequence[Any] = ()
    has_rows: bool = False


class Prepared:
    """One statement over columns that need no conversion: texts, numbers, flags.

    Args:
        statement: A select, insert, update or delete; parameters that name columns are set, others are bound.
    """

    def __init__(self, statement: SelectBase | UpdateBase) -> None:
        self._statement = statement
        self._has_rows = isinstance(statement, SelectBase)
        self._texts: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}

    def first(self, connection: Connection, parameters: Parameters) -> Any:
        """The first row as a tuple, or ``None``.

        Raises:
            DBAPIError: As SQLAlchemy itself would raise it.
        """
        return next(iter(self.all(connection, parameters)), None)

    def all(self, connection: Connection, parameters: Parameters) -> list[Any]:
        """All rows as tuples."""
        return rows_of(connection, self.statement(connection, parameters))

    def run_many(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Execute for its effect with each of several rows of the same columns."""
        text, names = self._text(connection, rows[0])
        cursor = driver_cursor(connection)
        try:
            if len(rows) == 1:  # drivers make much more of several
                cursor.execute(text, _bound(rows[0], names))
            else:
                cursor.executemany(text, [_bound(row, names) for row in rows])
        except Exception as error:
            refuse(error, connection, text)

    def statement(self, connection: Connection, parameters: Parameters) -> Statement:
        """It, with these parameters."""
        text, names = self._text(connection, parameters)
        return Statement(text, _bound(parameters, names), self._has_rows)

    def insertion(self, connection: Connection, rows: Sequence[Parameters]) -> Statement:
        """An insert of rows of the same columns, in one statement however many there are."""
        text, names = self._text(connection, rows[0])
        insertion, _, values = text.partition(" VALUES ")
        values = _CAST.sub(
            "%s", values
        )  # the columns say the types, and a server reads casts for a long time
        text = f"{insertion} VALUES {', '.join([values] * len(rows))}"
        return Statement(text, [row[name] for row in rows for name in names])

    def _text(self, connection: Connection, parameters: Parameters) -> tuple[str, tuple[str, ...]]:
        key = (connection.dialect.name, tuple(parameters))
        if key not in self._texts:
            self._texts[key] = self._compiled(connection, parameters)
        return self._texts[key]

    def _compiled(self, connection: Connection, parameters: Parameters) -> tuple[str, tuple[str, ...]]:
        columns = None if self._has_rows else list(parameters)
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=columns)
        if compiled.positional:
            return str(compiled), tuple(compiled.positiontup or ())
        text = str(compiled)
        return _NAMED.sub("%s", text), tuple(_NAMED.findall(text))


class Changes:
    """Updates of rows by their ``id``.

    Args:
        table: Whose rows.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._one = Prepared(update(table).where(table.c.id == bindparam(_SOUGHT)))
        self._many: dict[tuple[str, ...], tuple[str, str, str, str]] = {}

    def statements(self, connection: Connection, rows: Mapping[int, Parameters]) -> list[Statement]:
        """What sets the same columns in each of these rows; one statement for all where a server plans it."""
        if connection.dialect.name != "postgresql" or len(rows) == 1:
            return [self._one.statement(connection, {_SOUGHT: id, **changes}) for id, changes in rows.items()]
        names = tuple(next(iter(rows.values())))
        if names not in self._many:
            self._many[names] = self._parts(connection, names)
        head, first, other, tail = self._many[names]
        values = [value for id, changes in rows.items() for value in (id, *changes.values())]
        return [Statement(f"{head}{', '.join([first, *[other] * (len(rows) - 1)])}{tail}", values)]

    def _parts(self, connection: Connection, names: tuple[str, ...]) -> tuple[str, str, str, str]:
        """``UPDATE … FROM (VALUES``, its first row, any other one, and the rest."""
        quote, columns = connection.dialect.identifier_preparer.quote, self._table.c
        told = [f"::{columns[name].type.compile(connection.dialect)}" for name in ("id", *names)]
        quoted, table = [quote(name) for name in names], quote(self._table.name)
        # A NULL or a text among VALUES has no type of its own, so the first row is told.
        first, other = (f"({', '.join(f'%s{cast}' for cast in casts)})" for casts in (told, [""] * len(told)))
        sets = ", ".join(f"{name} = new.{name}" for name in quoted)
        tail = f") AS new (id, {', '.join(quoted)}) WHERE {table}.id = new.id"
        return f"UPDATE {table} SET {sets} FROM (VALUES ", first, other, tail


def rows_of(connection: Connection, statement: Statement) -> list[Any]:
    """Execute it; its rows as tuples, none where it has none.

    Raises:
        DBAPIError: As SQLAlchemy itself would raise it.
    """
    cursor = driver_cursor(connection)
    try:
        cursor.execute(statement.text, statement.values)
        return list(cursor.fetchall()) if statement.has_rows else []
    except Exception as error:
        refuse(error, connection, statement.text)


def driver_cursor(connection: Connection) -> Any:
    """The one cursor that the driver's connection keeps for these statements, in a begun transaction.

    Whoever uses it reads all of its results, and raises its errors by
    :func:`heliostat_trackers.transactions.refuse`.
    """
    if BEGINNING in connection.info:
        send_beginning(connection)
    return kept_cursor(connection)


def kept_cursor(connection: Connection) -> Any:
    """:func:`driver_cursor`, in a transaction whose beginning the caller sends."""
    info = connection.info
    cursor = info.get(_CURSOR)
    if cursor is None:
        cursor = info[_CURSOR] = connection.connection.cursor()
    return cursor


def _bound(row: Parameters, names: tuple[str, ...]) -> list[Any]:
    return [row[name] for name in names]
