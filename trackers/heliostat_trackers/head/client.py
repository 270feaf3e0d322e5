"""The run log as every process of a cluster sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import Any, cast

import ray

from heliostat import __version__
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
from heliostat.registry import shared_log
from heliostat.trial import Run
from heliostat.writes import Reply, Write
from heliostat_trackers.faults import closed_error
from heliostat_trackers.head.link import Link, check_connected, is_worker
from heliostat_trackers.head.place import log_place
from heliostat_trackers.head.sender import Sender
from heliostat_trackers.head.wire import packed_write

PATIENCE = 600.0
"""Seconds: a head node that comes back within them costs nothing but time."""

OPENING_SECONDS = 120.0
"""The actor's start takes seconds; a head node that is down will not be waited for at the opening."""


class RayRunLog:
    """A :class:`heliostat.ports.RunLog` in a file on the head node of a Ray cluster.

    Safe for many threads. Opening it anywhere in the cluster reaches the same actor and so the same file. It
    may be passed to Ray tasks and actors; each process that receives it has one client of its own. A write is
    acknowledged (its future is done) once it is on the head node's disk; until then it is repeated through
    deaths and restarts of the actor, and applied once.

    Args:
        url: ``ray:///path`` on the head node; a relative path is taken from the driver's folder.
        patience: Seconds that a write or read is repeated before it raises StorageError. Opening has two
            minutes in any case: it may have to start the actor's process.

    Raises:
        StorageError: This process belongs to no cluster, the head node cannot open the file, or its actor
            runs another version of Heliostat.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        check_connected()
        place = log_place(url, is_worker=is_worker())
        self.url = self.private_url = place.url
        self._patience = patience
        self._is_closed = False
        self._link = Link(place)
        greeting = self._link.greet(OPENING_SECONDS)
        if greeting.version != __version__:
            rule = f"the log's actor runs Heliostat {greeting.version} and this process {__version__}"
            remedy = "Install one version on all nodes, then heliostat_trackers.head.stop(url) the old actor."
            raise StorageError(rule, remedy=remedy, code="HS-STORAGE-034")
        self._sender = Sender(
            self._link.post, is_connected=ray.is_initialized, url=self.url, patience=patience
        )

    @cached_property
    def identity(self) -> str:
        """A text that no other log has."""
        return cast(str, self._ask("identity"))

    def submit(self, write: Write) -> Future[Reply]:
        """Queue a write; the future is done once it is durable, or holds the error that refused it.

        Waits only if 10,000 writes or 64 MiB are unanswered. Callbacks of the future run in the sender's
        thread: they may submit, but not wait.

        Raises:
            StorageError: The log is closed, or there was no room in time.
            InvalidValue: The write holds something that has no stored form.
        """
        return self._sender.put(packed_write(write))

    def apply(self, write: Write) -> Reply:
        """:meth:`submit` and wait.

        Raises:
            Conflict: The key was used for another write, or the run has ended.
            NotFound: Unknown run or experiment.
            StaleSession: A newer session has taken over the experiment.
            StorageError: The write is not durable; it may be sent again with the same key.
            InvalidValue: The write holds something that has no stored form.
        """
        self._sender.refuse_own_thread()
        return self.submit(write).result()

    def experiments(self, project: str | None = None) -> list[ExperimentRecord]:
        """All experiments (of a project), oldest first."""
        return cast("list[ExperimentRecord]", self._ask("experiments", project))

    def experiment(self, id: int) -> ExperimentRecord:
        """One experiment; raises ``NotFound``."""
        return cast(ExperimentRecord, self._ask("experiment", id))

    def runs(
        self, experiment: int | None = None, *, project: str | None = None, curves: bool = False
    ) -> list[Run]:
        """Runs by creation order; with `curves`, the present attempt's curve of each."""
        return cast("list[Run]", self._ask("runs", experiment, project=project, curves=curves))

    def run(self, id: int) -> Run:
        """One run with its curve; raises ``NotFound``."""
        return cast(Run, self._ask("run", id))

    def query(self, query: RunQuery, *, project: str | None = None, experiment: int | None = None) -> RunPage:
        """The runs that a query asks for, without curves."""
        return cast(RunPage, self._ask("query", query, project=project, experiment=experiment))

    def texts(self, run: int) -> dict[str, str]:
        """The texts of the run's present attempt by stream."""
        return cast("dict[str, str]", self._ask("texts", run))

    def files(self, run: int) -> list[FileRecord]:
        """A run's files, oldest first."""
        return cast("list[FileRecord]", self._ask("files", run))

    def file(self, id: int) -> tuple[FileRecord, bytes]:
        """One file and its content; raises ``NotFound``."""
        return cast("tuple[FileRecord, bytes]", self._ask("file", id))

    def reports(self, experiment: int) -> list[ReportRecord]:
        """An experiment's frozen reports, oldest first; raises ``NotFound``."""
        return cast("list[ReportRecord]", self._ask("reports", experiment))

    def report(self, id: int) -> tuple[ReportRecord, bytes]:
        """A frozen report and its page, HTML compressed by gzip; raises ``NotFound``."""
        return cast("tuple[ReportRecord, bytes]", self._ask("report", id))

    def projects(self) -> list[ProjectRecord]:
        """All projects, oldest first."""
        return cast("list[ProjectRecord]", self._ask("projects"))

    def notes(self, project: str) -> list[Note]:
        """Versions of a project's notes, oldest first."""
        return cast("list[Note]", self._ask("notes", project))

    def tags(self) -> list[Tag]:
        """Declared tags, oldest first."""
        return cast("list[Tag]", self._ask("tags"))

    def suggestions(self, experiment: int) -> list[SuggestionRecord]:
        """An experiment's suggestions, oldest first; deleted ones are among them."""
        return cast("list[SuggestionRecord]", self._ask("suggestions", experiment))

    def tokens(self) -> list[TokenRecord]:
        """Admitted secrets, oldest first; revoked ones are among them."""
        return cast("list[TokenRecord]", self._ask("tokens"))

    def events(
        self,
        after: int = 0,
        limit: int = 1000,
        *,
        experiment: int | None = None,
        kinds: Sequence[str] | None = None,
    ) -> list[Event]:
        """Up to `limit` events with ``seq > after``, in order; of one experiment, of some kinds, if said."""
        found = self._ask("events", after, limit, experiment=experiment, kinds=kinds)
        return cast("list[Event]", found)

    def last_event(self, experiment: int | None = None) -> int:
        """The place of the last event (of an experiment); 0 if there is none."""
        return cast("int", self._ask("last_event", experiment))

    def flush(self) -> None:
        """Wait until everything submitted so far is durable or refused."""
        self._sender.flush()

    def close(self) -> None:
        """Flush and end this client; the actor goes on. Further use raises StorageError."""
        self._is_closed = True
        self._sender.close()

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return shared_log, (self.url,)

    def _ask(self, name: str, *args: Any, **options: Any) -> Any:
        if self._is_closed:
            raise closed_error(self.url)
        return self._link.ask(name, *args, patience=self._patience, **options)
