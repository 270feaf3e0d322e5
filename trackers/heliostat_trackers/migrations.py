"""The way from each older schema to the present one.

The statements are history: they are never changed and never derived from the present tables. A step that
a database needs is listed under its name; run logs in PostgreSQL began with schema 2.
"""

from __future__ import annotations

from sqlalchemy import Connection, update

from heliostat.errors import StorageError
from heliostat_trackers.tables import VERSION, VERSION_KEY, meta

_RUN_COLUMNS = (
    "updated FLOAT DEFAULT '0' NOT NULL",
    "user TEXT DEFAULT '' NOT NULL",
    "parameter_sources TEXT DEFAULT '{}' NOT NULL",
    "sources TEXT DEFAULT '{}' NOT NULL",
    "dev_metadata TEXT DEFAULT '{}' NOT NULL",
    "sys_metadata TEXT DEFAULT '{}' NOT NULL",
    "datasets TEXT DEFAULT '{}' NOT NULL",
    "model TEXT",
    "source_hash TEXT",
    "tags TEXT DEFAULT '[]' NOT NULL",
    "note TEXT DEFAULT '' NOT NULL",
    "favorite BOOLEAN DEFAULT 0 NOT NULL",
    "archived BOOLEAN DEFAULT 0 NOT NULL",
)

_TO_2 = (
    "ALTER TABLE projects ADD COLUMN title TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE projects ADD COLUMN updated FLOAT DEFAULT '0' NOT NULL",
    "ALTER TABLE projects ADD COLUMN metadata TEXT DEFAULT '{}' NOT NULL",
    "ALTER TABLE projects ADD COLUMN archived BOOLEAN DEFAULT 0 NOT NULL",
    "ALTER TABLE experiments ADD COLUMN updated FLOAT DEFAULT '0' NOT NULL",
    "ALTER TABLE experiments ADD COLUMN archived BOOLEAN DEFAULT 0 NOT NULL",
    *(f"ALTER TABLE runs ADD COLUMN {column}" for column in _RUN_COLUMNS),
    "CREATE INDEX runs_by_project ON runs (project)",
    """CREATE TABLE late_values (
        run INTEGER NOT NULL REFERENCES runs (id),
        role TEXT NOT NULL,
        metric INTEGER NOT NULL REFERENCES metric_names (id),
        at FLOAT NOT NULL,
        value FLOAT,
        stddev FLOAT,
        PRIMARY KEY (run, role, metric, at)
    ) WITHOUT ROWID""",
    """CREATE TABLE texts (
        run INTEGER NOT NULL REFERENCES runs (id),
        attempt INTEGER NOT NULL,
        stream TEXT NOT NULL,
        part INTEGER NOT NULL,
        text BLOB NOT NULL,
        PRIMARY KEY (run, attempt, stream, part)
    )""",
    """CREATE TABLE files (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        run INTEGER NOT NULL REFERENCES runs (id),
        name TEXT NOT NULL,
        filename TEXT,
        content_type TEXT NOT NULL,
        size BIGINT NOT NULL,
        md5 TEXT NOT NULL,
        created FLOAT NOT NULL
    )""",
    "CREATE INDEX files_by_run ON files (run)",
    """CREATE TABLE file_contents (
        file INTEGER NOT NULL PRIMARY KEY REFERENCES files (id),
        content BLOB NOT NULL
    )""",
    """CREATE TABLE suggestions (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        experiment INTEGER NOT NULL REFERENCES experiments (id),
        assignments TEXT NOT NULL,
        state TEXT NOT NULL,
        task TEXT,
        origin TEXT NOT NULL,
        why TEXT NOT NULL,
        metadata TEXT NOT NULL,
        created FLOAT NOT NULL,
        run INTEGER REFERENCES runs (id)
    )""",
    "CREATE INDEX suggestions_by_experiment ON suggestions (experiment)",
    """CREATE TABLE notes (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL REFERENCES projects (name),
        text TEXT NOT NULL,
        user TEXT NOT NULL,
        created FLOAT NOT NULL
    )""",
    "CREATE INDEX notes_by_project ON notes (project)",
    """CREATE TABLE tags (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        color TEXT NOT NULL,
        created FLOAT NOT NULL
    )""",
    """CREATE TABLE tokens (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        digest TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        permissions TEXT NOT NULL,
        user TEXT NOT NULL,
        created FLOAT NOT NULL,
        expires FLOAT,
        revoked BOOLEAN DEFAULT 0 NOT NULL
    )""",
    "UPDATE projects SET updated = created",
    "UPDATE experiments SET updated = created",
    "UPDATE runs SET updated = coalesce(ended, started, created)",
    # The fingerprints were those of writes with fewer fields.
    "UPDATE events SET digest = ''",
    "INSERT INTO meta VALUES ('heliostat.identity', lower(hex(randomblob(16))))",
)

_TO_3_SQLITE = (
    """CREATE TABLE reports (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        experiment INTEGER NOT NULL REFERENCES experiments (id),
        title TEXT NOT NULL,
        comment TEXT NOT NULL,
        kind TEXT NOT NULL,
        user TEXT NOT NULL,
        place BIGINT NOT NULL,
        size BIGINT NOT NULL,
        md5 TEXT NOT NULL,
        created FLOAT NOT NULL
    )""",
    "CREATE INDEX reports_by_experiment ON reports (experiment)",
    """CREATE TABLE report_contents (
        report INTEGER NOT NULL PRIMARY KEY REFERENCES reports (id),
        content BLOB NOT NULL
    )""",
)

_TO_3_POSTGRESQL = (
    """CREATE TABLE reports (
        id SERIAL NOT NULL PRIMARY KEY,
        experiment INTEGER NOT NULL REFERENCES experiments (id),
        title TEXT NOT NULL,
        comment TEXT NOT NULL,
        kind TEXT NOT NULL,
        "user" TEXT NOT NULL,
        place BIGINT NOT NULL,
        size BIGINT NOT NULL,
        md5 TEXT NOT NULL,
        created FLOAT NOT NULL
    )""",
    "CREATE INDEX reports_by_experiment ON reports (experiment)",
    """CREATE TABLE report_contents (
        report INTEGER NOT NULL PRIMARY KEY REFERENCES reports (id),
        content BYTEA NOT NULL
    )""",
)

_TO_4 = ("CREATE INDEX runs_by_state ON runs (experiment, state)",)

_STEPS: dict[int, dict[str, tuple[str, ...]]] = {
    1: {"sqlite": _TO_2},
    2: {"sqlite": _TO_3_SQLITE, "postgresql": _TO_3_POSTGRESQL},
    3: {"sqlite": _TO_4, "postgresql": _TO_4},
}
"""By the version that a step begins with, then by database."""


def bring_up_to_date(connection: Connection, version: int) -> None:
    """Lead the tables from an older version to ours, within the caller's transaction.

    Raises:
        StorageError: There is no way from that version in this database.
    """
    for begin in range(version, VERSION):
        statements = _STEPS.get(begin, {}).get(connection.dialect.name)
        if statements is None:
            rule = f"there is no way from schema {begin} in {connection.dialect.name}"
            raise StorageError(rule, remedy="Restore a back-up of the log.", code="HS-STORAGE-015")
        for statement in statements:
            connection.exec_driver_sql(statement)
    connection.execute(update(meta).where(meta.c.key == VERSION_KEY).values(value=str(VERSION)))
