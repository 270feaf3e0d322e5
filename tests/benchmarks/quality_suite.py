"""The suite: all problems by name, P1 to P18 in order.

P15, early stopping, asks for no points: see :mod:`quality_stopping`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import quality_pools as pools
import quality_several as several
import quality_single as single
import quality_transfer as transfer
import quality_tuning as tuning
from quality_problem import Problem


def _all() -> Iterator[Problem]:
    yield from single.smooth()
    yield from single.hard()
    yield from pools.pools()
    yield from tuning.conditional()
    yield from single.noisy()
    yield from several.fronts()
    yield from several.limited_fronts()
    yield from several.guarded()
    yield from single.failing()
    yield from transfer.tasks()
    yield from tuning.tasks()
    yield from transfer.transfers()
    yield from single.solutions()
    yield from several.regions()
    yield from single.sequential_twin()
    yield from single.parallel()
    yield from single.large()
    yield from single.bounded()
    yield from several.scaled()


@cache
def problems() -> dict[str, Problem]:
    """All problems by name."""
    return {problem.name: problem for problem in _all()}


def chosen(words: str | None) -> list[Problem]:
    """Problems by comma-separated names or classes; all without words."""
    table = problems()
    if not words:
        return list(table.values())
    found = []
    for word in words.split(","):
        here = [item for item in table.values() if word in (item.name, item.suite)]
        if not here:
            raise SystemExit(f"no problem {word!r}; known: {', '.join(table)} and their classes P1 to P18")
        found += [item for item in here if item not in found]
    return found
