"""The follower: reads what happened in the log, and brings MLflow after it, run by run.

It keeps nothing of its own. Where it stands is written in MLflow (a tag of an experiment says up to which
event all is mirrored), and what is there is found by the tags of runs; so it may be killed at any moment.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from heliostat.ports import Event, RunLog
from heliostat_trackers.mlflow import wording
from heliostat_trackers.mlflow.copyist import Copyist
from heliostat_trackers.mlflow.faults import ServerAway, ServerRefused
from heliostat_trackers.mlflow.server import Server
from heliostat_trackers.mlflow.shelves import Shelves
from heliostat_trackers.mlflow.waiting import Waiting

logger = logging.getLogger("heliostat")

MIRRORED = "heliostat.mirrored"
"""Tag of an MLflow experiment: up to which event of the log all is mirrored, and that event's time."""

STAMP_SECONDS = 10.0
"""The tag is written this often at most; what was done since is looked up again after a kill."""

EVENTS_AT_ONCE, PAGES_AT_ONCE = 1000, 10
FAILURES_OF_ONE_RUN = 3
"""A server that works, but fails at one run so often, will not take this run."""

_REPORT_EVERY = 20
_MOST_REFUSED = 400
"""Runs named in a tag, so that a later mirror tries them again."""


@dataclass(frozen=True)
class Progress:
    """What a mirror has done.

    Args:
        runs: How many runs it has written, each counted once.
        lag: Events of the log that are not mirrored yet, as far as is known.
        refused: Run → why the server would not take it.
        waits_for: Why the mirror is waiting, if it is.
        addresses: MLflow's pages with our runs, by the experiment's name there.
    """

    runs: int = 0
    lag: int = 0
    refused: Mapping[int, str] = field(default_factory=dict)
    waits_for: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)


class Follower:
    """Mirrors one log into one server.

    Args:
        log: What to read; nothing is written to it.
        server: Where to write.
        waiting: How long to try.
        project: Only this project's runs.
        report: Called now and then.

    Raises:
        ServerAway: The server did not answer for too long, here and in all methods.
        ServerRefused: The server takes nothing.
    """

    def __init__(
        self,
        log: RunLog,
        server: Server,
        waiting: Waiting,
        *,
        project: str | None = None,
        report: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._server = server
        self._waiting = waiting
        self._project = project
        self._report = report
        self._claim = MIRRORED if project is None else f"{MIRRORED}.{wording.plain_name(project)}"[:250]
        self._written: set[int] = set()
        self._refused: dict[int, str] = {}
        self._lag = 0
        self._shelves = waiting.insist(lambda: Shelves(server, log))
        self._cursor, self._time = self._start()
        self._stamped = (self._cursor, 0.0)
        self._refused = self._refused_before()
        is_empty = not any(True for _ in self._shelves)
        self._copyist = Copyist(log, server, self._shelves, born_before=0 if is_empty else log.last_event())

    @property
    def progress(self) -> Progress:
        """What has been done so far."""
        shown = [shelf for shelf in self._shelves if not shelf.is_deleted]
        addresses = {shelf.name: self._shelves.address(shelf) for shelf in shown}
        return Progress(len(self._written), self._lag, dict(self._refused), addresses=addresses)

    def catch_up(self) -> bool:
        """Mirror all that the log holds now, not what is written meanwhile; whether there was anything."""
        begin, end = self._cursor, max(self._cursor, self._log.last_event())
        while self._cursor < end:
            self._mirror(self._read())
        self._waiting.insist(lambda: self._copyist.settle_doubts(waits=False))
        if time.monotonic() - self._stamped[1] > STAMP_SECONDS:
            self._stamp()
        return end > begin

    def finish(self) -> None:
        """Try once more what was refused, settle what is in doubt, and write where the mirror stands."""
        for run in list(self._refused):
            self._copy(run, 0)
        self._waiting.insist(lambda: self._copyist.settle_doubts(waits=True))
        self._stamp()

    def _start(self) -> tuple[int, float]:
        """The last event that an earlier mirror has answered for, if this log is the one it read."""
        claims = [
            shelf.tags[key] for shelf in self._shelves for key in (MIRRORED, self._claim) if key in shelf.tags
        ]
        place, when = max((_read_claim(claim) for claim in claims), default=(0, 0.0))
        found = self._log.events(place - 1, 1) if place else []
        if found and (found[0].seq, found[0].time) == (place, when):
            return place, when
        if place:
            logger.warning("the log was restored since it was last mirrored: all of it is compared again")
        return 0, 0.0

    def _refused_before(self) -> dict[int, str]:
        told = " ".join(shelf.tags.get(f"{self._claim}.refused", "") for shelf in self._shelves)
        return {int(run): "refused to an earlier mirror" for run in told.split() if run.isdecimal()}

    def _read(self) -> list[Event]:
        events: list[Event] = []
        for _ in range(PAGES_AT_ONCE):
            page = self._log.events(events[-1].seq if events else self._cursor, EVENTS_AT_ONCE)
            events += page
            if len(page) < EVENTS_AT_ONCE:
                break
        return events

    def _mirror(self, events: list[Event]) -> None:
        self._copyist.expect(events)
        for experiment in sorted(
            {event.experiment or 0 for event in events if event.kind == "ChangeExperiment"}
        ):
            self._refresh(experiment)
        counts = Counter(event.run for event in events if event.run is not None)
        seqs = {event.run: event.seq for event in events if event.run is not None}
        beyond = self._log.last_event() - events[-1].seq
        self._lag = beyond + len(events)
        for place, (run, seq) in enumerate(seqs.items()):
            if place % _REPORT_EVERY == 0:
                self._report(self.progress)
            self._copy(run, seq)
            self._lag -= counts[run]
        self._lag = beyond
        self._cursor, self._time = events[-1].seq, events[-1].time
        self._report(self.progress)

    def _refresh(self, experiment: int) -> None:
        if self._project in (None, self._log.experiment(experiment).spec.project):
            self._waiting.insist(lambda: self._shelves.refresh(experiment))

    def _copy(self, run: int, seq: int) -> None:
        """Mirror one run; if the server takes others but not this one, note why and go on."""
        failures = 0

        def ask() -> bool:
            nonlocal failures
            try:
                return self._copied(run, seq)
            except ServerAway as error:
                failures += self._server.is_up()
                if failures >= FAILURES_OF_ONE_RUN:
                    rule = f"the MLflow server works, but failed {failures} times at run {run}"
                    raise ServerRefused(rule, remedy=f"Its last words: {error.rule}.") from error
                raise

        try:
            if self._waiting.insist(ask):
                self._written.add(run)
                self._refused.pop(run, None)
        except ServerRefused as error:
            if not self._server.is_up():
                raise  # it takes nothing at all: no rights, or not MLflow
            self._copyist.doubt(run)
            self._refused[run] = str(error)
            logger.warning("run %s is not mirrored: %s", run, error)

    def _copied(self, run: int, seq: int) -> bool:
        try:
            return self._copyist.copy(run, seq, project=self._project)
        except ServerAway:
            self._copyist.doubt(run)  # it may have been done
            raise
        except ServerRefused:
            # What was thought to be there may have been deleted in MLflow: look again.
            self._copyist.doubt(run)
            self._shelves.reload()
            return self._copyist.copy(run, seq, project=self._project)

    def _stamp(self) -> None:
        """Say in MLflow up to where all is mirrored."""
        refused = " ".join(map(str, sorted(self._refused)[:_MOST_REFUSED]))
        claim = {self._claim: f"{self._cursor} {self._time!r}", f"{self._claim}.refused": refused}
        if self._cursor == self._stamped[0] and not self._refused:
            return
        # One place for all: the oldest experiment that nobody has deleted.
        for shelf in self._shelves:
            if not shelf.is_deleted:
                self._waiting.insist(lambda: self._server.tag_shelf(shelf, claim))  # noqa: B023  # called at once
                self._stamped = (self._cursor, time.monotonic())
                return


def _read_claim(claim: str) -> tuple[int, float]:
    place, _, when = claim.partition(" ")
    try:
        return int(place), float(when)
    except ValueError:  # somebody edited it
        return 0, 0.0
