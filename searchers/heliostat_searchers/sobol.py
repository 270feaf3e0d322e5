"""One scrambled Sobol sequence per experiment: even cover, whatever the number of runs (Sobol' 1967).

SciPy scrambles by random linear matrices and a digital shift (Matoušek 1998, *On the L2-discrepancy for
anchored boxes*).

The scramble comes from the experiment's seed and the place in the sequence from the number of runs, so the
suggestions of all calls form one sequence, after a restart too.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from itertools import count as numbers
from typing import TYPE_CHECKING, ClassVar

from heliostat.experiment import ExperimentSpec
from heliostat.space import Space, Value, sample
from heliostat.trial import History, Proposal
from heliostat_searchers.novelty import Key, Taken, fresh
from heliostat_searchers.random import MODEL_FREE

if TYPE_CHECKING:
    import numpy as np

BLOCK = 16
"""Points drawn at once; a power of two, as the sequence's balance (and SciPy's warning about it) wants."""

PATIENCE = 1024
"""Places of the sequence tried before random sampling takes over: only regions below 0.1 % see that."""


class SobolSearcher:
    """Covers the space evenly, without looking at results."""

    is_instant = True
    capabilities: ClassVar[frozenset[str]] = MODEL_FREE

    def __init__(self) -> None:
        self._taken = Taken()

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """The next `count` new points of the sequence; see :class:`heliostat.ports.Searcher`."""
        chosen = next_points(spec, len(history), self._taken.of(history), count, rng)
        return [Proposal(values, why="Sobol sequence") for values in chosen]


def next_points(
    spec: ExperimentSpec, start: int, used: Container[Key], count: int, rng: np.random.Generator
) -> list[dict[str, Value]]:
    """Up to `count` new legal points of the experiment's sequence from place `start` on."""
    return fresh(spec.space, _draws(spec.space, spec.seed, start, rng), used, count)


def _draws(space: Space, seed: int, start: int, rng: np.random.Generator) -> Iterator[dict[str, Value]]:
    for tries, unit in enumerate(units(space.d, seed, start)):
        if tries == PATIENCE:
            break
        values = space.draw(unit)
        if space.meets_constraints(values):
            yield values
    while True:
        yield from sample(space, rng, BLOCK)


def units(d: int, seed: int, start: int) -> Iterator[np.ndarray]:
    """The scrambled sequence in `d` dimensions from place `start` on, one point of shape ``d`` at a time."""
    begun, left = divmod(start, BLOCK)
    for number in numbers(begun):
        yield from _block(d, seed, number)[left if number == begun else 0 :]


@lru_cache(maxsize=64)  # 1,024 points, of the few experiments that share the process
def _block(d: int, seed: int, number: int) -> np.ndarray:
    """A block of the sequence, shape ``BLOCK × d``. To begin a sequence costs far more than its points."""
    import numpy as np
    from scipy.stats import qmc

    engine = qmc.Sobol(d, scramble=True, seed=np.random.default_rng(seed))
    if number:
        engine.fast_forward(number * BLOCK)
    block: np.ndarray = engine.random(BLOCK)
    block.flags.writeable = False
    return block
