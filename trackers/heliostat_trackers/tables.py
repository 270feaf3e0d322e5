"""The tables of the run log.

Small integers stand for metrics in ``checkpoints``, and its rows live inside the primary key's tree: about
26 bytes a point instead of 71 with texts. JSON lies in text columns, which all databases keep unchanged.
"""

from __future__ import annotations

import uuid

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    insert,
    inspect,
    select,
)

from heliostat.errors import StorageError

VERSION = 4
"""Version of the tables below. A log with a higher one belongs to a newer Heliostat and is left alone."""

VERSION_KEY = "heliostat.schema"
IDENTITY_KEY = "heliostat.identity"

_BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

metadata = MetaData()


def _empty(name: str, text: str = "{}") -> Column[str]:
    # The database's own default, so that creating a run costs nothing for facts that few runs have.
    return Column(name, Text, nullable=False, server_default=text)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


def _time(name: str) -> Column[float]:
    return Column(name, Float, nullable=False, server_default="0")


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

projects = Table(
    "projects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created", Float, nullable=False),
    _empty("title", ""),
    _time("updated"),
    _empty("metadata"),
    _flag("archived"),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", ForeignKey("projects.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("epoch", Integer, nullable=False),
    _time("updated"),
    _flag("archived"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment", ForeignKey("experiments.id")),
    Column("project", ForeignKey("projects.name"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("assignments", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("values", Text, nullable=False),
    Column("task", Text),
    Column("origin", Text, nullable=False),
    Column("searcher", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("predicted", Text, nullable=False),
    Column("end_reason", Text, nullable=False),
    Column("failure", Text),
    Column("attempt", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("metadata", Text, nullable=False),
    _time("updated"),
    _empty("user", ""),
    _empty("parameter_sources"),
    _empty("sources"),
    _empty("dev_metadata"),
    _empty("sys_metadata"),
    _empty("datasets"),
    Column("model", Text),
    Column("source_hash", Text),
    _empty("tags", "[]"),
    _empty("note", ""),
    _flag("favorite"),
    _flag("archived"),
    UniqueConstraint("experiment", "number"),
    Index("runs_by_project", "project"),
    Index("runs_by_state", "experiment", "state"),  # counting the states reads this alone, not the rows
    sqlite_autoincrement=True,
)

metric_names = Table(
    "metric_names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

# Points are most of a log. Their run and metric were looked up in the same transaction and are never deleted;
# PostgreSQL would look again for each point, at half the price of storing it.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("metric", Integer, primary_key=True, autoincrement=False),
    Column("value", Float),
    Column("time", Float, nullable=False),
    ForeignKeyConstraint(["run"], ["runs.id"]).ddl_if(dialect="sqlite"),
    ForeignKeyConstraint(["metric"], ["metric_names.id"]).ddl_if(dialect="sqlite"),
    sqlite_with_rowid=False,
)

late_values = Table(
    "late_values",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("metric", ForeignKey("metric_names.id"), primary_key=True),
    Column("at", Float, primary_key=True),
    Column("value", Float),
    Column("stddev", Float),
    sqlite_with_rowid=False,
)

# Bytes, since what programs print may hold what no text column takes.
texts = Table(
    "texts",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("text", LargeBinary, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("filename", Text),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("md5", Text, nullable=False),
    Column("created", Float, nullable=False),
    Index("files_by_run", "run"),
    sqlite_autoincrement=True,
)

file_contents = Table(
    "file_contents",
    metadata,
    Column("file", ForeignKey("files.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment", ForeignKey("experiments.id"), nullable=False),
    Column("title", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("md5", Text, nullable=False),
    Column("created", Float, nullable=False),
    Index("reports_by_experiment", "experiment"),
    sqlite_autoincrement=True,
)

report_contents = Table(
    "report_contents",
    metadata,
    Column("report", ForeignKey("reports.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

suggestions = Table(
    "suggestions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("experiment", ForeignKey("experiments.id"), nullable=False),
    Column("assignments", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("task", Text),
    Column("origin", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("run", ForeignKey("runs.id")),
    Index("suggestions_by_experiment", "experiment"),
    sqlite_autoincrement=True,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", ForeignKey("projects.name"), nullable=False),
    Column("text", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created", Float, nullable=False),
    Index("notes_by_project", "project"),
    sqlite_autoincrement=True,
)

tags = Table(
    "tags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("color", Text, nullable=False),
    Column("created", Float, nullable=False),
    sqlite_autoincrement=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("permissions", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    _flag("revoked"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("seq", _BIG, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False),
    Column("time", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("experiment", Integer),
    Column("run", Integer),
    Column("body", Text, nullable=False),
    Column("reply", Text, nullable=False),
    sqlite_autoincrement=True,
)


def settle_tables(connection: Connection) -> None:
    """Make the tables in an empty database, or check those found there.

    Call it in a transaction that excludes other writers: several processes may open a new log at once.

    Raises:
        StorageError: The tables are another program's, or another version's.
    """
    if not check_tables(connection):
        metadata.create_all(connection)
        rows = {VERSION_KEY: str(VERSION), IDENTITY_KEY: uuid.uuid4().hex}
        connection.execute(insert(meta), [{"key": key, "value": value} for key, value in rows.items()])


def check_tables(connection: Connection) -> bool:
    """Whether the database holds our tables; it does not if it is empty.

    Raises:
        StorageError: The tables are another program's, or another version's.
    """
    version = found_version(connection)
    if version is None:
        return False
    if version < VERSION:
        rule = f"this Heliostat works with run logs of schema {VERSION}"
        remedy = "The log is of an older Heliostat. Bring it up to date with: heliostat log migrate"
        raise StorageError(rule, given=version, remedy=remedy, code="HS-STORAGE-015")
    return True


def found_version(connection: Connection) -> int | None:
    """The schema's version, at most ours; ``None`` in an empty database.

    Raises:
        StorageError: The tables are another program's, or a newer Heliostat's.
    """
    found = inspect(connection).get_table_names()
    if not found:
        return None
    version = _stored_version(connection) if meta.name in found else None
    if version is None:
        rule = "the database must hold a run log, but its tables are another program's"
        remedy = "Give the run log a file, a database or a schema of its own."
        raise StorageError(rule, given=sorted(found)[:5], remedy=remedy, code="HS-STORAGE-006")
    if version > VERSION:
        rule = f"this Heliostat reads run logs up to schema {VERSION}"
        remedy = "The log was written by a newer Heliostat: upgrade with pip install -U heliostat."
        raise StorageError(rule, given=version, remedy=remedy, code="HS-STORAGE-007")
    return version


def _stored_version(connection: Connection) -> int | None:
    if "key" not in {column["name"] for column in inspect(connection).get_columns(meta.name)}:
        return None
    text = connection.scalar(select(meta.c.value).where(meta.c.key == VERSION_KEY))
    return int(text) if text is not None else None
