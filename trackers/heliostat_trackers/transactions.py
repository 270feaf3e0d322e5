"""Transactions of the writer, begun and ended at the driver.

SQLAlchemy's own bookkeeping around a transaction takes a tenth of the writer's time. It takes part only where
a statement is executed through it; whoever needs no more than :mod:`heliostat_trackers.prepared` spares it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)

BEGINNING = "heliostat.beginning"
"""Where a connection keeps statements that the first one of its transaction has to take along."""

_BEGINS_WITH = "heliostat.begins_with"
_SERVER = "postgresql"


def exclude_writers(engine: Engine, beginning: Sequence[str]) -> None:
    """Let each transaction of the engine's connections begin with these statements.

    In a file they run at once; for a server the first statement of the transaction takes them along, to save
    a round trip.
    """

    def connected(_: Any, record: Any) -> None:
        record.info[_BEGINS_WITH] = tuple(beginning)

    def executing(connection: Connection, *_: Any) -> None:
        send_beginning(connection)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", executing)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """What ``connection.begin()`` is, on a connection of an engine that excludes other writers.

    Raises:
        DBAPIError: As SQLAlchemy itself would raise it.
    """
    _begin(connection)
    try:
        yield
    except BaseException:
        try:
            _end(connection, "rollback")
        except Exception as error:
            # The connection is gone, and the transaction with it: what happened first tells more.
            logger.debug("a transaction could not be undone: %s", error)
        raise
    _end(connection, "commit")


def send_beginning(connection: Connection) -> None:
    """Send what begins the transaction, if that has not been sent yet."""
    if statements := connection.info.pop(BEGINNING, ()):
        text = "; ".join(statements)
        cursor: Any = connection.connection.cursor()
        try:
            cursor.execute(text)
            while cursor.nextset():
                pass
        except Exception as error:
            refuse(error, connection, text)
        finally:
            cursor.close()


def refuse(error: Exception, connection: Connection, text: str) -> NoReturn:
    """Raise the driver's error as SQLAlchemy would raise it; another one as it is.

    Raises:
        DBAPIError: The driver's.
    """
    driver = connection.dialect.loaded_dbapi
    if not isinstance(error, driver.Error):
        raise error
    raise DBAPIError.instance(text, None, error, driver.Error, dialect=connection.dialect) from error


def _begin(connection: Connection) -> None:
    """Begin at the driver, unless a transaction of :func:`transaction` is under way there."""
    driver: Any = connection.connection.driver_connection
    info = connection.info
    if connection.dialect.name == _SERVER:
        if BEGINNING not in info and not driver.pgconn.transaction_status:
            if not driver.autocommit:
                driver.autocommit = True
            info[BEGINNING] = info[_BEGINS_WITH]
    elif not driver.in_transaction:
        for statement in info[_BEGINS_WITH]:
            driver.execute(statement).close()


def _end(connection: Connection, how: str) -> None:
    connection.info.pop(BEGINNING, None)
    if connection.in_transaction():  # SQLAlchemy has come to know of it
        getattr(connection, how)()
        return
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == _SERVER and not driver.pgconn.transaction_status:
        return  # a message has taken the end along
    try:
        getattr(driver, how)()
    except Exception as error:
        refuse(error, connection, how.upper())
