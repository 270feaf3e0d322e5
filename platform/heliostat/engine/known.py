"""The runs as searchers see them, made anew only where one has changed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from heliostat.space import Categorical, Space
from heliostat.trial import Run


@dataclass(frozen=True)
class _Shown:
    """A run as it is shown, and how much of its curve that is; ``None``: it is not shown."""

    run: Run | None
    length: int


@dataclass
class Known:
    """Keeps what searchers may know of an experiment's runs; not safe for several threads.

    Looking through all runs for each suggestion would make long sweeps quadratic.
    """

    _shown: dict[int, _Shown] = field(default_factory=dict)
    _order: list[tuple[int, int]] = field(default_factory=list)
    _changed: dict[int, None] = field(default_factory=dict)
    _growing: set[int] = field(default_factory=set)
    _runs: tuple[Run, ...] | None = None
    _space: Space | None = None

    def note(self, run: Run) -> None:
        """The run is new, or has a new value."""
        if run.id not in self._shown and run.id not in self._changed:
            insort(self._order, (run.number, run.id))
        self._changed[run.id] = None

    def runs(self, space: Space, raw: Mapping[int, Run]) -> tuple[Run, ...]:
        """What may be known, by number; a run that has not changed is the same object as before.

        Args:
            space: What assignments are shown in.
            raw: All runs, as they are.
        """
        if space is not self._space:
            self._space, self._changed = space, dict.fromkeys(raw)
        for id in self._growing:
            if self._shown[id].length != len(raw[id].curve):
                self._changed[id] = None
        if self._changed or self._runs is None:
            for id in self._changed:
                self._show(raw[id], space)
            self._changed = {}
            shown = (self._shown[id].run for _, id in self._order)
            self._runs = tuple(run for run in shown if run is not None)
        return self._runs

    def _show(self, run: Run, space: Space) -> None:
        self._shown[run.id] = _Shown(shown(run, space), len(run.curve))
        if isinstance(run.curve, list):
            self._growing.add(run.id)
        else:
            self._growing.discard(run.id)


def shown(run: Run, space: Space) -> Run | None:
    """The run as a searcher sees it; ``None`` if it does not."""
    if run.archived or not _fits(run, space):
        return None
    return _declared(snapshot(run), space.index.keys())


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
