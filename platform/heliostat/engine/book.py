"""The runs of one experiment as they now are in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace

from heliostat.errors import NotFound
from heliostat.space import Categorical, Space
from heliostat.trial import Run

Listener = Callable[[Run], None]


@dataclass(frozen=True)
class _Shown:
    """A run as searchers see it, and what it was made from."""

    raw: Run
    length: int
    run: Run
    fits: bool


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
    _shown: dict[int, _Shown] = field(default_factory=dict, repr=False)
    _space: Space | None = None
    _listeners: list[Listener] = field(default_factory=list, repr=False)

    def fill(self, runs: Iterable[Run]) -> None:
        """Take over what the log holds."""
        with self.lock:
            self._runs = {run.id: run for run in runs}

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
            if space is not self._space:
                self._space, self._shown = space, {}
            shown = [self._show(run, space) for run in self._runs.values() if not run.archived]
        return tuple(sorted((item.run for item in shown if item.fits), key=lambda run: run.number))

    def _show(self, run: Run, space: Space) -> _Shown:
        shown = self._shown.get(run.id)
        if shown is None or shown.raw is not run or shown.length != len(run.curve):
            made = _declared(snapshot(run), space.index.keys())
            shown = self._shown[run.id] = _Shown(run, len(run.curve), made, _fits(run, space))
        return shown


def snapshot(run: Run) -> Run:
    """The run with a curve that does not grow."""
    return replace(run, curve=tuple(run.curve)) if isinstance(run.curve, list) else run


def _declared(run: Run, names: Set[str]) -> Run:
    if run.assignments.keys() <= names:
        return run
    own = {name: value for name, value in run.assignments.items() if name in names}
    return replace(run, assignments=own)


def _fits(run: Run, space: Space) -> bool:
    return all(
        run.assignments.get(item.name, item.values[0]) in item.values
        for item in space.dimensions
        if isinstance(item, Categorical)
    )
