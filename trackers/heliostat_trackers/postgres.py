"""A run log in a PostgreSQL database: how to connect, and the settings that durability and order stand on.

Several machines may write. A transaction lock of one number for each log lets them write one after the other,
so that events become visible in the order of their ``seq``: who has read up to N never misses a smaller one.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import URL, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from heliostat.errors import StorageError
from heliostat.registry import LOG_VARIABLE
from heliostat_trackers.transactions import exclude_writers

DRIVERS = ("postgresql", "postgresql+psycopg")
LOCK_SECONDS = 30
"""How long a writer waits for the others."""

_SECRETS = ("password", "sslpassword")
_LOCK_CLASS = 0x48454C49
"""Sets our lock apart from those of other programs in the same database."""

_LOCK = f"SELECT pg_advisory_xact_lock({_LOCK_CLASS}, quote_ident(current_schema())::regnamespace::oid::int4)"
_BEGIN = ("BEGIN ISOLATION LEVEL READ COMMITTED", _LOCK)
_WRITER = (
    "SET synchronous_commit = on",  # an acknowledged write must survive a power cut
    f"SET lock_timeout = '{LOCK_SECONDS}s'",
    "SET statement_timeout = 0",
    # A writer whose machine has vanished must not keep the lock; alive, it pauses for milliseconds only.
    "SET idle_in_transaction_session_timeout = '10s'",
)
_READER = ("SET lock_timeout = '30s'",)
_CONNECTION = {
    "application_name": "heliostat",
    "connect_timeout": 10,
    # A server that vanished without a word is noticed within half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

_passwords: dict[str, str] = {}
"""Password by address, so that this process can open :attr:`PostgresDatabase.url` again."""


class PostgresDatabase:
    """The database behind ``postgresql://user:password@host/name``; options of libpq may follow a ``?``.

    The log's tables lie in the connection's default schema (``?options=-csearch_path=name`` for another one).

    Args:
        url: As the user gave it. Without a password, libpq looks for one (``PGPASSWORD``, ``~/.pgpass``).

    Raises:
        StorageError: The URL cannot be read, or psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        given = _parsed(url)
        self.url = _address(given)
        known = _passwords.get(self.url) or _password_from_environment(self.url)
        if given.password is not None:
            _passwords[self.url] = str(given.password)
        elif known is not None and "password" not in given.query:
            given = given.set(password=known)
        self._target = given.set(drivername="postgresql+psycopg")

    @property
    def private_url(self) -> str:
        """The URL with its password: for the user's own processes on other machines, never for printing."""
        return self._target.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def turns(self) -> NoTurns:
        """The server itself keeps its clients in line."""
        return NoTurns()

    def writing_engine(self) -> Engine:
        """Connections for the one writer: each transaction holds the log's lock from its first statement."""
        engine = self._engine("READ COMMITTED", _WRITER, poolclass=NullPool)

        # Each later statement sees what the earlier holders of the lock have committed.
        exclude_writers(engine, _BEGIN)

        # Every message is another text: the driver need not look for one that it knows.
        def unprepared(connection: Any, _: Any) -> None:
            connection.prepare_threshold = None

        event.listen(engine, "connect", unprepared)
        return engine

    def reading_engine(self) -> Engine:
        """Connections for any thread: each transaction sees one state of the log and delays no writer."""
        pool = {"poolclass": QueuePool, "pool_size": 4, "max_overflow": 12, "pool_pre_ping": True}
        return self._engine("REPEATABLE READ", (*_READER, "SET default_transaction_read_only = on"), **pool)

    def _engine(self, isolation: str, settings: tuple[str, ...], **options: Any) -> Engine:
        arguments = {name: value for name, value in _CONNECTION.items() if name not in self._target.query}
        try:
            engine = create_engine(self._target, isolation_level=isolation, connect_args=arguments, **options)
        except ModuleNotFoundError as error:
            rule = f"a run log in PostgreSQL needs the package psycopg ({error})"
            remedy = "Install it with: pip install 'heliostat[postgres]'"
            raise StorageError(rule, remedy=remedy, code="HS-STORAGE-009") from error

        def connected(connection: Any, _: Any) -> None:
            connection.autocommit = True
            connection.execute("; ".join(settings))
            connection.autocommit = False

        event.listen(engine, "connect", connected)
        return engine


class NoTurns:
    """What :class:`heliostat_trackers.turns.Turns` is where none are needed."""

    def turn(self) -> AbstractContextManager[None]:
        """At once."""
        return nullcontext()

    def close(self) -> None:
        """There is nothing to release."""


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in DRIVERS:
        rule = "a run log in PostgreSQL has a URL like postgresql://user:password@host/database"
        remedy = "Escape characters such as @ and / in the password as %40 and %2F."
        raise StorageError(rule, remedy=remedy, code="HS-STORAGE-009")
    return parsed


def _address(url: URL) -> str:
    """Without secrets: what may be printed, stored and compared."""
    plain = url.set(drivername="postgresql").difference_update_query(_SECRETS)
    return URL.create(
        plain.drivername, plain.username, None, plain.host, plain.port, plain.database, plain.query
    ).render_as_string()


def _password_from_environment(address: str) -> str | None:
    try:
        given = _parsed(os.environ.get(LOG_VARIABLE, ""))
    except StorageError:  # it names another kind of log
        return None
    return str(given.password) if given.password is not None and _address(given) == address else None
