"""The runs of one experiment as they now are in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from heliostat.engine.known import Known, snapshot
from heliostat.engine.tally import Tally
from heliostat.errors import NotFound
from heliostat.space import Space
from heliostat.trial import Run

Listener = Callable[[Run], None]


@dataclass
class Book:
    """Runs by id; safe for use by many threads.

    A run that is reporting holds its curve as a list that grows: a copy for each point would make long curves
    quadratic. It leaves this object as a snapshot only.

    Args:
        experiment: Whose runs they are.
    """

    experiment: int
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _runs: dict[int, Run] = field(default_factory=dict, repr=False)
    _tally: Tally = field(default_factory=Tally, repr=False)
    _known: Known = field(default_factory=Known, repr=False)
    _listeners: list[Listener] = field(default_factory=list, repr=False)

    def fill(self, runs: Iterable[Run]) -> None:
        """Take over what the log holds."""
        with self.lock:
            self._runs = {run.id: run for run in runs}
            self._tally, self._known = Tally(), Known()
            for run in self._runs.values():
                self._tally.add(run)
                self._known.note(run)

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: int) -> bool:
        return run in self._runs

    def all(self) -> list[Run]:
        """All runs, as they are: curves may still grow."""
        with self.lock:
            return list(self._runs.values())

    def raw(self, run: int) -> Run:
        """A run as it is kept.

        Raises:
            NotFound: The experiment has no such run.
        """
        with self.lock:
            if run not in self._runs:
                rule = f"experiment {self.experiment} has no run {run}"
                raise NotFound(rule, remedy="Use an id that it handed out.")
            return self._runs[run]

    def get(self, run: int) -> Run:
        """A run's present value, with its curve."""
        with self.lock:
            return snapshot(self.raw(run))

    def put(self, run: Run, *, tell: bool = True) -> Run:
        """Keep a run's new value and tell the listeners."""
        with self.lock:
            before = self._runs.get(run.id)
            if before is not None:
                self._tally.take(before)
            self._tally.add(run)
            self._known.note(run)
            self._runs[run.id] = run
        if tell:
            self.tell(run)
        return run

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with a run's new value whenever one is made or changes; it must not raise."""
        self._listeners.append(listener)

    def tell(self, run: Run) -> None:
        """Tell the listeners of a run."""
        for listener in self._listeners:
            listener(run)

    def known(self, space: Space) -> tuple[Run, ...]:
        """What searchers may know, by number: with declared parameters only, and without archived runs.

        A run that has not changed comes back as the same object, so that who has seen it can tell. Runs whose
        choices the space has no more (a removed category) are left out.
        """
        with self.lock:
            return self._known.runs(space, self._runs)

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return self._tally.ended

    @property
    def counted(self) -> Mapping[str | None, int]:
        """How many runs use budget, by task."""
        return self._tally.counted
