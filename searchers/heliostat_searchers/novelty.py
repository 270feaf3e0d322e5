"""Which points are new: keys of assignments, the places a history holds, the rest of a finite space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf, prod

from heliostat.space import Categorical, Double, Int, Parameter, Space, Value
from heliostat.space.space import Assignments
from heliostat.trial import History, State

Key = tuple[tuple[str, Value], ...]

ENUMERABLE = 20_000
"""Largest finite space that is walked through to find what is left: about 0.1 s."""

TRIES = 64
"""Draws per wanted point before the rest is enumerated: above 93 % used, enumeration is cheaper."""


def key(values: Assignments) -> Key:
    """A hashable form of assignments; equal assignments have equal keys."""
    return tuple(sorted(values.items()))


def taken(history: History, *, task: str | None = None) -> set[Key]:
    """Keys of the places that are known or under way.

    Lost and cancelled runs taught nothing, so their places are free again.

    Args:
        history: The runs so far.
        task: Only what is known on this task; what is under way counts on any.
    """
    free = (State.LOST, State.CANCELLED)
    return {
        key(run.assignments)
        for run in history.runs
        if run.state not in free and (task is None or run.task in (task, None) or run.state.is_open)
    }


def size_bound(space: Space) -> float:
    """An upper bound on the number of assignments of a space; infinite where it has a continuum."""
    return prod(_size(item) for item in space.dimensions)


def untried(space: Space, used: set[Key]) -> Iterator[dict[str, Value]]:
    """Assignments of a finite space that are not used, in lexicographic order."""
    return (values for values in space.every() if key(values) not in used)


def fresh(
    space: Space, draws: Iterable[dict[str, Value]], used: set[Key], count: int
) -> list[dict[str, Value]]:
    """The first `count` draws that are not used nor repeated; fewer once a finite space is exhausted.

    Args:
        space: Where the draws come from.
        draws: A long stream of legal assignments.
        used: Keys to avoid.
        count: How many are wanted.
    """
    seen = set(used)
    chosen: list[dict[str, Value]] = []
    for values in islice(draws, TRIES * count):
        if key(values) not in seen:
            seen.add(key(values))
            chosen.append(values)
        if len(chosen) == count:
            return chosen
    if size_bound(space) <= ENUMERABLE:
        chosen += islice(untried(space, seen), count - len(chosen))
    return chosen


def _size(item: Parameter) -> float:
    if isinstance(item, (Categorical, Int)):
        return item.size
    return len(item.grid) if isinstance(item, Double) and item.grid is not None else inf
