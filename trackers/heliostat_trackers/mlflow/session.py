"""A mirror at work: its settings, its place, its server and its follower, from beginning to end."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from heliostat.errors import Conflict, InvalidValue
from heliostat.ports import RunLog
from heliostat.registry import shared_log
from heliostat_trackers.mlflow.follower import Follower, Progress
from heliostat_trackers.mlflow.server import Server, checked_uri
from heliostat_trackers.mlflow.settings import Settings
from heliostat_trackers.mlflow.sole import sole_mirror
from heliostat_trackers.mlflow.waiting import Waiting

VARIABLE = "MLFLOW_TRACKING_URI"
PATIENCE = 60.0
"""Seconds for which a mirror that is to end waits for a server that is away."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
Log = RunLog | str | Path | None


class Session:
    """A mirror at work, while it is entered.

    Args:
        log: A run log, or its path or URL.
        uri: The server's address; by default ``$MLFLOW_TRACKING_URI``.
        follow: Wait for the server, and for another mirror to end, as long as it takes.
        stop: Once set, all that is awaited is awaited for `patience` only.
        project: Only this project's runs.
        patience: Seconds.
        report: Called with what has been done, now and then, and when a wait begins or ends.
    """

    def __init__(
        self,
        log: Log,
        uri: str | None,
        *,
        follow: bool,
        stop: threading.Event,
        project: str | None,
        patience: float,
        report: Callable[[Progress], None],
    ) -> None:
        self._log = shared_log(log) if isinstance(log, (str, Path)) or log is None else log
        self._uri = tracking_uri(uri)
        self._follow = follow
        self._stop = stop
        self._project = project
        self._patience = patience
        self._report = report
        self._follower: Follower | None = None
        self._took = 0.0
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Session:
        with contextlib.ExitStack() as held:
            settings = held.enter_context(Settings())
            self._take_place(held)
            waiting = Waiting(
                settings,
                patience=None if self._follow else self._patience,
                stop=self._stop,
                last_patience=self._patience,
                notify=self._tell,
            )
            server = Server(self._uri)
            project, report = self._project, self._report
            self._follower = Follower(self._log, server, waiting, project=project, report=report)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def progress(self) -> Progress:
        """What has been done so far."""
        return Progress() if self._follower is None else self._follower.progress

    @property
    def pause(self) -> float:
        """Seconds to leave the log alone: as long as the last look took, so that half the time is others'."""
        return min(max(self._took, _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def catch_up(self) -> bool:
        """Mirror all that the log holds now; whether there was anything."""
        begun = time.monotonic()
        try:
            return self._follower is not None and self._follower.catch_up()
        finally:
            self._took = time.monotonic() - begun

    def finish(self) -> None:
        """Settle all that is in doubt."""
        if self._follower is not None:
            self._follower.finish()

    def _take_place(self, held: contextlib.ExitStack) -> None:
        while True:
            try:
                held.enter_context(sole_mirror(self._log, self._uri))
                return
            except Conflict as error:
                if not self._follow or self._stop.is_set():
                    raise
                self._tell(str(error))
                self._stop.wait(1.0)

    def _tell(self, reason: str) -> None:
        self._report(replace(self.progress, waits_for=reason))


def mirror(
    log: Log = None,
    uri: str | None = None,
    *,
    follow: bool = False,
    stop: threading.Event | None = None,
    project: str | None = None,
    patience: float = PATIENCE,
    report: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Mirror a run log into an MLflow server, each run exactly once, until all is there.

    It blocks; it is meant for a process of its own (see :func:`~heliostat_trackers.mlflow.start_mirror`).
    While it works, this process's environment variables for mlflow are the mirror's.

    Args:
        log: A run log, or its path or URL; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` here.
        uri: The server's address; by default ``$MLFLOW_TRACKING_URI``.
        follow: Go on with what comes, and wait for the server as long as it takes, until `stop` is set.
        stop: Ends the following; what the log holds then is still mirrored.
        project: Only this project's runs.
        patience: Seconds without an answer of the server after which to give up, unless following.
        report: Called now and then.

    Returns:
        What was done.

    Raises:
        Conflict: Another mirror of this log to this server is at work.
        InvalidValue: No address was given, or one that is not an MLflow server's.
        ServerAway: The server did not answer for too long.
        ServerRefused: The server takes nothing.
    """
    stop = stop or threading.Event()
    session = Session(log, uri, follow=follow, stop=stop, project=project, patience=patience, report=report)
    with session:
        session.catch_up()
        while follow and not stop.wait(session.pause):
            session.catch_up()
        session.catch_up()
        session.finish()
        return session.progress


def tracking_uri(uri: str | None) -> str:
    """The address to use.

    Raises:
        InvalidValue: There is none, or it is not a server's. A database must be named on purpose.
    """
    found = uri or os.environ.get(VARIABLE, "")
    if not found:
        remedy = f"Set ${VARIABLE}, or say --uri http://localhost:5000."
        raise InvalidValue("uri", "an MLflow server's address is needed", remedy=remedy, code="HS-MLFLOW-003")
    if uri is None and not found.startswith("http"):
        rule = f"${VARIABLE} must be an MLflow server's address to be mirrored into unasked"
        remedy = "Name a database on purpose, as --uri sqlite:///private.db, and let no server work on it."
        raise InvalidValue("uri", rule, given=found.partition(":")[0], remedy=remedy, code="HS-MLFLOW-003")
    return checked_uri(found)
