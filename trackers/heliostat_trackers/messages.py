"""Statements that travel to the database together, and their rows back.

A server takes several statements in one message (PostgreSQL's simple query protocol): that leaves two of a
write's six round trips, and half of the driver's work. In a file nothing travels; there they run one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from heliostat_trackers.prepared import Changes, Parameters, Prepared, Statement, kept_cursor, rows_of
from heliostat_trackers.transactions import BEGINNING, refuse

SERVER = "postgresql"
_TRANSFORMER = "heliostat.transformer"


class Message:
    """Statements in the order in which they will run.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._statements: list[Statement] = []

    def ask(self, prepared: Prepared, parameters: Parameters) -> int:
        """Add a statement; its rows stand at this place of what :meth:`send` returns."""
        self._statements.append(prepared.statement(self._connection, parameters))
        return len(self._statements) - 1

    def insert(self, prepared: Prepared, rows: Sequence[Parameters]) -> None:
        """Add an insert of rows of the same columns."""
        self._statements.append(prepared.insertion(self._connection, rows))

    def change(self, changes: Changes, rows: Mapping[int, Parameters]) -> None:
        """Add a change of the same columns in each of these rows, by id."""
        self._statements += changes.statements(self._connection, rows)

    def commit(self) -> None:
        """Let a server end the transaction with this message; nothing may follow in it.

        The caller's own commit finds nothing left to do then, and ends the transaction of a file.
        """
        if self._connection.dialect.name == SERVER:
            self._statements.append(Statement("COMMIT"))

    def send(self) -> list[list[Any]]:
        """Run what was added, and forget it; the rows of each statement, as tuples.

        Raises:
            DBAPIError: As SQLAlchemy itself would raise it; none after the one that failed was run.
        """
        statements, self._statements = self._statements, []
        if self._connection.dialect.name != SERVER or len(statements) < 2:
            return [rows_of(self._connection, statement) for statement in statements]
        before = [Statement(text) for text in self._connection.info.pop(BEGINNING, ())]
        cursor = kept_cursor(self._connection)
        try:
            # Without values of its own a text may hold several statements.
            cursor.execute(b"; ".join(_literals(self._connection, before + statements)))
            return _rows(cursor, len(before), statements)
        except Exception as error:
            refuse(error, self._connection, "; ".join(item.text for item in statements))


def _rows(cursor: Any, before: int, statements: Sequence[Statement]) -> list[list[Any]]:
    """The rows of each statement; the driver has looked at all results, and what nobody reads is left."""
    found: list[list[Any]] = [[] for _ in statements]
    place = -before
    for number, statement in enumerate(statements):
        if statement.has_rows:
            while place < number:
                cursor.nextset()
                place += 1
            found[number] = list(cursor.fetchall())
    return found


def _literals(connection: Connection, statements: Sequence[Statement]) -> Iterator[bytes]:
    """The statements with their values in them, quoted by the driver."""
    quoted = _transformer(connection).as_literal
    for text, values, _ in statements:
        literals = [b"NULL" if value is None else quoted(value) for value in values]
        yield text.encode() % tuple(literals) if literals else text.encode()


def _transformer(connection: Connection) -> Any:
    """What quotes for this connection; kept, since it gathers what it learns of the types it meets."""
    info = connection.info
    if _TRANSFORMER not in info:
        from psycopg.adapt import Transformer

        info[_TRANSFORMER] = Transformer.from_context(connection.connection.driver_connection)
    return info[_TRANSFORMER]
