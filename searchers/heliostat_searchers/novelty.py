"""Which points are new: keys of assignments, the places a history holds, the rest of a finite space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from math import inf, prod
from operator import is_not

from heliostat.space import Categorical, Double, Int, Parameter, Space, Value
from heliostat.space.space import Assignments
from heliostat.trial import History, Run, State

Key = tuple[tuple[str, Value], ...]

ENUMERABLE = 20_000
"""Largest finite space that is walked through to find what is left: about 0.1 s."""

FREE = frozenset((State.LOST, State.CANCELLED))
"""States of runs that taught nothing, so that their places are free again."""

TRIES = 64
"""Draws per wanted point before the rest is enumerated: above 93 % used, enumeration is cheaper."""


def key(values: Assignments) -> Key:
    """A hashable form of assignments; equal assignments have equal keys."""
    return tuple(sorted(values.items()))


def taken(history: History, *, task: str | None = None) -> set[Key]:
    """Keys of the places that are known or under way.

    Args:
        history: The runs so far.
        task: Only what is known on this task; what is under way counts on any.
    """
    return {
        key(run.assignments)
        for run in history.runs
        if run.state not in FREE and (task is None or run.task in (task, None) or run.state.is_open)
    }


class Taken:
    """The same, for who asks often about a history that grows: only runs that have changed are looked at.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._runs: tuple[Run, ...] = ()
        self._counts: Counter[Key] = Counter()

    def of(self, history: History) -> Container[Key]:
        """Keys of the places that are known or under way; good until the next question."""
        old, new = self._runs, tuple(history.runs)
        both = min(len(old), len(new))
        changed = [place for place, moved in enumerate(map(is_not, old, new)) if moved]
        for run in [*(old[place] for place in changed), *old[both:]]:
            self._count(run, -1)
        for run in [*(new[place] for place in changed), *new[both:]]:
            self._count(run, 1)
        self._runs = new
        return self._counts

    def _count(self, run: Run, by: int) -> None:
        if run.state not in FREE:
            place = key(run.assignments)
            self._counts[place] += by
            if not self._counts[place]:
                del self._counts[place]


def size_bound(space: Space) -> float:
    """An upper bound on the number of assignments of a space; infinite where it has a continuum."""
    return prod(_size(item) for item in space.dimensions)


def untried(space: Space, used: Container[Key]) -> Iterator[dict[str, Value]]:
    """Assignments of a finite space that are not used, in lexicographic order."""
    return (values for values in space.every() if key(values) not in used)


def fresh(
    space: Space, draws: Iterable[dict[str, Value]], used: Container[Key], count: int
) -> list[dict[str, Value]]:
    """The first `count` draws that are not used nor repeated; fewer once a finite space is exhausted.

    Args:
        space: Where the draws come from.
        draws: A long stream of legal assignments.
        used: Keys to avoid.
        count: How many are wanted.
    """
    chosen: dict[Key, dict[str, Value]] = {}
    for values in islice(draws, TRIES * count):
        place = key(values)
        if place not in used:
            chosen.setdefault(place, values)
        if len(chosen) == count:
            return list(chosen.values())
    rest = untried(space, used) if size_bound(space) <= ENUMERABLE else iter(())
    new = (values for values in rest if key(values) not in chosen)
    return [*chosen.values(), *islice(new, count - len(chosen))]


def _size(item: Parameter) -> float:
    if isinstance(item, (Categorical, Int)):
        return item.size
    return len(item.grid) if isinstance(item, Double) and item.grid is not None else inf
