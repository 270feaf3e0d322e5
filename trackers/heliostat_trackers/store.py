"""The run log in a SQLite file or a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from typing import NoReturn

from sqlalchemy import Connection, Engine

from heliostat.errors import StorageError
from heliostat.ports import (
    Event,
    ExperimentRecord,
    FileRecord,
    Note,
    ProjectRecord,
    ReportRecord,
    SuggestionRecord,
    Tag,
    TokenRecord,
)
from heliostat.query import RunPage, RunQuery
from heliostat.trial import Run
from heliostat.writes import Reply, Write
from heliostat_trackers import attachment_reads, reads, report_rows
from heliostat_trackers.engines import Database, database_at
from heliostat_trackers.faults import closed_error, translated
from heliostat_trackers.query import read_page
from heliostat_trackers.retries import retried
from heliostat_trackers.tables import check_tables, settle_tables
from heliostat_trackers.writer import PATIENCE, Writer

OPENING = 10.0
"""Seconds for which opening waits for a server: one that restarts is back by then, a wrong name is not."""


class SqlRunLog:
    """A :class:`heliostat.ports.RunLog` in a SQLite file or a PostgreSQL database.

    Safe for many threads. Several processes may open the same file, on the same machine: SQLite's write-ahead
    log needs shared memory and does not work over NFS. Several machines may open the same database. A log
    must not be used across ``fork`` and cannot be pickled; pass its address instead. Mappings in a write must
    not be changed after it was submitted.

    Args:
        url: ``sqlite:///path``, where a missing file or folder is made, or ``postgresql://user@host/name``.
        clock: Seconds since the epoch, for the times of events.
        patience: Seconds for which writes and new readings wait for a server that cannot be reached.

    Attributes:
        url: Its address without a password: for messages, files and other processes that know the password.
        private_url: Its address with the password: for the user's own workers, never for printing.

    Raises:
        StorageError: It cannot be made or opened, is not a run log, or is another version's.
    """

    def __init__(
        self, url: str, *, clock: Callable[[], float] = time.time, patience: float = PATIENCE
    ) -> None:
        database = database_at(url)
        self.url, self.private_url = database.url, database.private_url
        self._patience = patience
        self._reading = database.reading_engine()
        with translated(self.url):
            opening = min(patience, OPENING)
            retried(lambda: settle(database, self._reading), seconds=opening, url=self.url)
        self._is_closed = False
        self._writer = Writer(database, clock=clock, patience=patience)

    def submit(self, write: Write) -> Future[Reply]:
        """Queue a write; the future is done once it is durable, or holds the error that refused it.

        Callbacks of the future run in the writer's thread: they may submit, but not wait.

        Raises:
            StorageError: The log is closed.
            InvalidValue: The write holds something that has no stored form.
        """
        return self._writer.submit(write)

    def apply(self, write: Write) -> Reply:
        """:meth:`submit` and wait.

        Raises:
            Conflict: The key was used for another write, or the run has ended.
            NotFound: Unknown run or experiment.
            StaleSession: A newer session has taken over the experiment.
            StorageError: The write is not durable; it may be sent again with the same key.
            InvalidValue: The write holds something that has no stored form.
        """
        return self._writer.apply(write)

    def experiments(self, project: str | None = None) -> list[ExperimentRecord]:
        """All experiments (of a project), oldest first."""
        with self._snapshot() as connection:
            return reads.read_records(connection, project)

    def experiment(self, id: int) -> ExperimentRecord:
        """One experiment.

        Raises:
            NotFound: No such experiment.
        """
        with self._snapshot() as connection:
            return reads.read_record(connection, id)

    def runs(
        self, experiment: int | None = None, *, project: str | None = None, curves: bool = False
    ) -> list[Run]:
        """Runs by creation order; with `curves`, the present attempt's curve of each."""
        with self._snapshot() as connection:
            return reads.read_runs(connection, experiment, project=project, curves=curves)

    def run(self, id: int) -> Run:
        """One run with its curve.

        Raises:
            NotFound: No such run.
        """
        with self._snapshot() as connection:
            return reads.read_run(connection, id)

    def query(self, query: RunQuery, *, project: str | None = None, experiment: int | None = None) -> RunPage:
        """The runs that a query asks for, without curves."""
        with self._snapshot() as connection:
            return read_page(connection, query, experiment, project)

    @cached_property
    def identity(self) -> str:
        """A text that no other log has; copies made by back-up keep it."""
        with self._snapshot() as connection:
            return attachment_reads.read_identity(connection)

    def texts(self, run: int) -> dict[str, str]:
        """The texts of the run's present attempt by stream.

        Raises:
            NotFound: No such run.
        """
        with self._snapshot() as connection:
            return attachment_reads.read_texts(connection, run)

    def files(self, run: int) -> list[FileRecord]:
        """A run's files, oldest first.

        Raises:
            NotFound: No such run.
        """
        with self._snapshot() as connection:
            return attachment_reads.read_files(connection, run)

    def file(self, id: int) -> tuple[FileRecord, bytes]:
        """One file and its content.

        Raises:
            NotFound: No such file.
        """
        with self._snapshot() as connection:
            return attachment_reads.read_file(connection, id)

    def reports(self, experiment: int) -> list[ReportRecord]:
        """An experiment's frozen reports, oldest first.

        Raises:
            NotFound: No such experiment.
        """
        with self._snapshot() as connection:
            return report_rows.read_reports(connection, experiment)

    def report(self, id: int) -> tuple[ReportRecord, bytes]:
        """A frozen report and its page, HTML compressed by gzip.

        Raises:
            NotFound: No such report.
        """
        with self._snapshot() as connection:
            return report_rows.read_report(connection, id)

    def projects(self) -> list[ProjectRecord]:
        """All projects, oldest first."""
        with self._snapshot() as connection:
            return attachment_reads.read_projects(connection)

    def notes(self, project: str) -> list[Note]:
        """Versions of a project's notes, oldest first."""
        with self._snapshot() as connection:
            return attachment_reads.read_notes(connection, project)

    def tags(self) -> list[Tag]:
        """Declared tags, oldest first."""
        with self._snapshot() as connection:
            return attachment_reads.read_tags(connection)

    def suggestions(self, experiment: int) -> list[SuggestionRecord]:
        """An experiment's suggestions, oldest first; deleted ones are among them."""
        with self._snapshot() as connection:
            return attachment_reads.read_suggestions(connection, experiment)

    def tokens(self) -> list[TokenRecord]:
        """Admitted secrets, oldest first; revoked ones are among them."""
        with self._snapshot() as connection:
            return attachment_reads.read_tokens(connection)

    def events(
        self,
        after: int = 0,
        limit: int = 1000,
        *,
        experiment: int | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[Event]:
        """Up to `limit` events with ``seq > after``, in order; of one experiment, of some kinds, if said."""
        with self._snapshot() as connection:
            return reads.read_events(connection, after, limit, experiment, kinds)

    def last_event(self, experiment: int | None = None) -> int:
        """The place of the last event (of an experiment); 0 if there is none."""
        with self._snapshot() as connection:
            return reads.read_last_event(connection, experiment)

    def flush(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        self._writer.flush()

    def close(self) -> None:
        """Flush and release the file; further use raises StorageError. May be called twice."""
        self._is_closed = True
        self._reading.dispose()
        # The writer's connection goes last: the last one of a file folds its write-ahead log back into it.
        self._writer.close()

    def __getstate__(self) -> NoReturn:
        rule = "a run log holds a thread and connections and cannot be pickled or copied"
        raise StorageError(rule, remedy="Pass its url and open it there.", code="HS-STORAGE-010")

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        if self._is_closed:
            raise closed_error(self.url)
        with translated(self.url):
            # Only the connecting is repeated: what follows may have been read in part.
            connection = retried(self._reading.connect, seconds=self._patience, url=self.url)
            with connection:
                yield connection


def open_log(url: str) -> SqlRunLog:
    """The run log at a URL, made if it is not there.

    Raises:
        StorageError: It cannot be made or opened, is not a run log, or is another version's.
    """
    return SqlRunLog(url)


def settle(database: Database, reading: Engine) -> None:
    """Make the tables of a new log, or check those of an old one.

    Raises:
        StorageError: It is not a run log, or another version's.
        DBAPIError: It cannot be made or opened.
    """
    try:
        # Looked at first: the writer's connection turns the file's journal into a write-ahead log, which
        # must not happen to another program's file.
        with reading.connect() as connection:
            check_tables(connection)
        reading.dispose()
        with database.turns.turn(), database.writing_engine().begin() as connection:
            settle_tables(connection)
    except BaseException:
        reading.dispose()
        database.turns.close()
        raise
