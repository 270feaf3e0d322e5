"""What others change in the log while an engine steers: read as events, applied to the engine's own runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from heliostat.engine.book import Book
from heliostat.ports import Event, RunLog

KINDS = (
    "ChangeExperiment", "CreateSuggestion", "ChangeSuggestion", "CorrectRun", "UpdateRun", "CreateRun",
    "RetryRun", "FinishRun",
)  # fmt: skip
"""Kinds of writes that may concern an engine; all others only it makes, or they change nothing for it."""

_TELLING = ("archived", "values")
"""Facts of an update that a suggestion may depend on."""

PAGE = 1000
"""Events read at a time."""


@dataclass(frozen=True)
class News:
    """What has changed.

    Args:
        is_declared_anew: The declaration.
        is_queued: The queue.
    """

    is_declared_anew: bool = False
    is_queued: bool = False


class Following:
    """Reads what is new about one experiment and keeps its runs up to date.

    Args:
        log: Where it happens.
        book: The experiment's runs in this process, to be changed.
        after: Place in the log from which on to read.

    Attributes:
        changed: Place of the last change by others that a suggestion may depend on. An end that others write
            of a run that was made here is none: it counts among the ended ones.
    """

    def __init__(self, log: RunLog, book: Book, *, after: int) -> None:
        self._log, self._book = log, book
        self._seen = self.changed = after
        self._theirs: set[int] = set()

    def leave(self, runs: Iterable[int]) -> None:
        """Follow these runs as another process's, whatever becomes of them."""
        self._theirs.update(runs)

    def read(self) -> News:
        """Take up what is new; one thread at a time, and not while a run is being made."""
        is_declared_anew = is_queued = False
        while events := self._page():
            is_declared_anew |= any(event.kind == "ChangeExperiment" for event in events)
            is_queued |= any(event.kind.endswith("Suggestion") for event in events)
            self._apply(events)
            self._seen = events[-1].seq
            if len(events) < PAGE:
                break
        return News(is_declared_anew, is_queued)

    def behind(self) -> int:
        """How many events of others are not read yet, counted up to :data:`PAGE`."""
        theirs = [
            event for event in self._page() if event.kind != "CreateRun" or not self._is_known(event.run)
        ]
        return len(theirs)

    def _page(self) -> list[Event]:
        return self._log.events(self._seen, PAGE, experiment=self._book.experiment, kinds=KINDS)

    def _apply(self, events: Sequence[Event]) -> None:
        stale: dict[int, None] = {}
        for event in events:
            if event.kind == "ChangeExperiment":
                self.changed = event.seq
            if event.run is None:
                continue
            if self._is_end_of_open(event, event.run):
                stale[event.run] = None
            elif self._concerns(event, event.run):
                stale[event.run] = None
                self.changed = event.seq
        for run in stale:
            self._read_again(run)

    def _is_end_of_open(self, event: Event, run: int) -> bool:
        """Whether others ended a run that was handed out here: reports may be written by any process."""
        return event.kind == "FinishRun" and run not in self._theirs and self._is_open(run)

    def _is_known(self, run: int | None) -> bool:
        return run is not None and run in self._book

    def _is_open(self, run: int) -> bool:
        return run in self._book and self._book.raw(run).state.is_open

    def _concerns(self, event: Event, run: int) -> bool:
        if event.kind == "CreateRun" and run not in self._book:
            self._theirs.add(run)  # logged into the experiment by somebody who does not steer it
        if run in self._theirs or event.kind == "CorrectRun":
            return True
        telling = _TELLING[:1] if self._is_open(run) else _TELLING  # of open runs no value is learned from
        return event.kind == "UpdateRun" and any(name in event.body for name in telling)

    def _read_again(self, run: int) -> None:
        fresh = self._log.run(run)
        with self._book.lock:
            if run in self._book and run not in self._theirs:
                known = self._book.raw(run)
                if fresh.state.is_open:  # what this process knows of it is newer
                    fresh = replace(known, archived=fresh.archived)
            self._book.put(fresh, tell=False)
        self._book.tell(fresh)
