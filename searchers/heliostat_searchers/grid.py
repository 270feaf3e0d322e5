"""Every point of a finite space, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from heliostat.experiment import ExperimentSpec
from heliostat.space import Space, Value
from heliostat.space.space import values_of
from heliostat.trial import History, Proposal
from heliostat_searchers.novelty import Key, key, taken, untried
from heliostat_searchers.random import MODEL_FREE

if TYPE_CHECKING:
    import numpy as np


class GridSearcher:
    """All points in lexicographic order; lost and cancelled ones come again at the end."""

    is_instant = True
    capabilities: ClassVar[frozenset[str]] = MODEL_FREE

    def check(self, spec: ExperimentSpec) -> None:
        """Refuse a continuum; see :class:`heliostat.ports.Checker`."""
        for item in spec.space.dimensions:
            values_of(item)

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """The next `count` points; see :class:`heliostat.ports.Searcher`.

        Raises:
            InvalidValue: A double has no grid.
        """
        del rng
        seen = {key(run.assignments) for run in history.runs}
        points = islice(_walk(spec.space, seen, taken(history)), count)
        return [Proposal(values, why="next point of the grid") for values in points]


def _walk(space: Space, seen: set[Key], used: set[Key]) -> Iterator[dict[str, Value]]:
    yield from untried(space, seen)
    if len(used) < len(seen):
        yield from (values for values in untried(space, used) if key(values) in seen)
