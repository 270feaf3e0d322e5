"""Which parameter tells two groups of runs apart: one cut each, as in a decision stump.

The gain of a cut is the drop of the groups' entropy (Quinlan 1986, *Induction of decision trees*).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heliostat.space import Categorical, Parameter, Space
from heliostat.trial import Run

SIGNIFICANT = 15.0
"""Least likelihood-ratio statistic, ``2 n ln 2`` times the bits won: chance reaches it once in 10⁴ for one
cut (χ² with one degree of freedom). The best of many cuts reaches it more often (Miller and Siegmund 1982,
*Maximally selected chi square statistics*): of a hundred independent ones once in a hundred searches."""

MOST_CUTS = 200
"""Most places tried along one parameter: a finer cut would move a rule's number by less than 0.5 % of the
runs."""


@dataclass(frozen=True)
class Split:
    """The best cut along one parameter.

    Args:
        parameter: Its name.
        text: The side where bad runs gather: ``learning_rate ≥ 0.03``, ``optimizer = sgd``.
        gain: Bits won, 0 where no cut helps.
        inside: Bad runs on that side.
        good_inside: Good runs there.
    """

    parameter: str
    text: str = ""
    gain: float = 0.0
    inside: int = 0
    good_inside: int = 0


def splits(space: Space, good: Sequence[Run], bad: Sequence[Run]) -> list[Split]:
    """The best cut of each parameter, the one that tells most first; ties in declared order."""
    found = [_split(item, good, bad) for item in space.dimensions]
    return sorted(found, key=lambda split: -split.gain)


def _split(item: Parameter, good: Sequence[Run], bad: Sequence[Run]) -> Split:
    is_bad = np.array([False] * len(good) + [True] * len(bad))
    values = [run.assignments.get(item.name) for run in (*good, *bad)]
    sides = _categories(item, values) if isinstance(item, Categorical) else _cuts(item, values)
    best = Split(item.name)
    for text, inside in sides:
        gain = _gain(is_bad, inside)
        is_gathering = is_bad[inside].mean() > is_bad.mean() if inside.any() else False
        if is_gathering and gain > best.gain and 2 * len(is_bad) * math.log(2) * gain >= SIGNIFICANT:
            count = int(is_bad[inside].sum())
            best = Split(item.name, text, gain, count, int(inside.sum()) - count)
    return best


def _categories(item: Categorical, values: Sequence[object]) -> list[tuple[str, NDArray[np.bool_]]]:
    texts = np.array([str(value) for value in values])
    return [(f"{item.name} = {name}", texts == name) for name in item.values]


def _cuts(item: Parameter, values: Sequence[object]) -> list[tuple[str, NDArray[np.bool_]]]:
    numbers = np.array(
        [value if isinstance(value, (int, float)) else math.nan for value in values], dtype=float
    )
    known = np.unique(numbers[np.isfinite(numbers)])
    if len(known) > MOST_CUTS:
        known = known[np.linspace(0, len(known) - 1, MOST_CUTS).round().astype(int)]
    sides = []
    for low, high in pairwise(known):
        sides.append((f"{item.name} ≤ {low:.3g}", numbers <= low))
        sides.append((f"{item.name} ≥ {high:.3g}", numbers >= high))
    return sides


def _gain(is_bad: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    share = float(inside.mean())
    parts = share * _entropy(is_bad[inside]) + (1 - share) * _entropy(is_bad[~inside])
    return _entropy(is_bad) - parts


def _entropy(is_bad: NDArray[np.bool_]) -> float:
    if not len(is_bad):
        return 0.0
    share = float(is_bad.mean())
    return -sum(part * math.log2(part) for part in (share, 1 - share) if part > 0)
