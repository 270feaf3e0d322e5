"""Independent random suggestions, bent by priors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from heliostat.experiment import ExperimentSpec
from heliostat.space import Space, Value, sample
from heliostat.trial import History, Proposal
from heliostat_searchers.novelty import Taken, fresh

if TYPE_CHECKING:
    import numpy as np

MODEL_FREE = frozenset(
    {"multimetric", "guardrails", "active_search", "conditionals", "linear_constraints", "multisolution"}
)
"""What any searcher can do that covers the space and never reads a metric."""


class RandomSearcher:
    """Draws from the space, without looking at results."""

    is_instant = True
    capabilities: ClassVar[frozenset[str]] = MODEL_FREE

    def __init__(self) -> None:
        self._taken = Taken()

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new random points; see :class:`heliostat.ports.Searcher`."""
        chosen = fresh(spec.space, _draws(spec.space, rng, count), self._taken.of(history), count)
        return [Proposal(values, why="random") for values in chosen]


def _draws(space: Space, rng: np.random.Generator, count: int) -> Iterator[dict[str, Value]]:
    while True:
        yield from sample(space, rng, count)
