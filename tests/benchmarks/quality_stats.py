"""Comparing methods over seeds, problems and classes.

.. [Dewancker2016] I. Dewancker, M. McCourt, S. Clark, P. Hayes, A. Johnson, G. Ke. A stratified analysis of
   Bayesian optimization methods. arXiv 1603.09441: best found, then area under the curve, a Mann-Whitney test
   per function, a Borda count over functions.
.. [VanElteren1960] P. van Elteren. On the combination of independent two sample tests of Wilcoxon. Bulletin
   of the International Statistical Institute 37, 1960.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu, norm, rankdata

ALPHA = 0.05
Curves = Mapping[str, np.ndarray]
"""Method → curves, ``seeds x budget``; less is better."""


@dataclass(frozen=True)
class Summary:
    """Median, first and third quartile."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: np.ndarray) -> Summary:
        # Infinite values (nothing feasible yet) have no interpolated quantiles.
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
        if np.isfinite(values).all():
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        return Summary(float(middle), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.median:9.3g} [{self.low:8.2g}, {self.high:8.2g}]"


def areas(curves: Curves) -> dict[str, np.ndarray]:
    """Mean of each curve; where nothing is feasible yet it counts as the worst finite score of any method."""
    finite = [found[np.isfinite(found)] for found in curves.values()]
    worst = max((float(found.max()) for found in finite if len(found)), default=1.0)
    return {name: np.minimum(found, worst).mean(axis=1) for name, found in curves.items()}


def is_better(one: np.ndarray, other: np.ndarray) -> float:
    """p-value of the one-sided Mann-Whitney U test that `one` is smaller."""
    if len(one) < 2 or len(other) < 2 or np.all(np.concatenate([one, other]) == one[0]):
        return 1.0
    return float(mannwhitneyu(np.minimum(one, 1e300), np.minimum(other, 1e300), alternative="less").pvalue)


def verdict(first: str, second: str, ends: Curves, area: Curves) -> int:
    """+1 if `first` beats `second` on one problem, -1 if it loses: by best found, else by area."""
    for table in (ends, area):
        if is_better(table[first], table[second]) < ALPHA:
            return 1
        if is_better(table[second], table[first]) < ALPHA:
            return -1
    return 0


def borda(tables: Sequence[tuple[Curves, Curves]], names: Sequence[str]) -> dict[str, float]:
    """Share of all its comparisons that each method wins, over problems: best found, ties by area."""
    won, played = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for ends, area in tables:
        here = [name for name in names if name in ends]
        for first in here:
            for second in here:
                if first != second:
                    won[first] += verdict(first, second, ends, area) > 0
                    played[first] += 1
    return {name: won[name] / played[name] if played[name] else float("nan") for name in names}


def mean_ranks(tables: Sequence[Curves], names: Sequence[str]) -> dict[str, float]:
    """Mean over problems of the rank of the median, 0 (best) to 1 (worst) among those that played."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for table in tables:
        here = [name for name in names if name in table]
        if len(here) < 2:
            continue
        ranks = rankdata([Summary.of(table[name]).median for name in here])
        for name, rank in zip(here, ranks, strict=True):
            found[name].append((rank - 1) / (len(here) - 1))
    return {name: float(np.mean(items)) if items else float("nan") for name, items in found.items()}


def worse_in_class(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """p-value, over the problems of a class, that the first's scores are larger [VanElteren1960]_."""
    total = expected = variance = 0.0
    for ours, theirs in pairs:
        n, m = len(ours), len(theirs)
        joined = np.minimum(np.concatenate([ours, theirs]), 1e300)
        ranks = rankdata(joined)
        _, ties = np.unique(joined, return_counts=True)
        size = n + m
        total += ranks[:n].sum() / (size + 1)
        expected += n / 2
        shrink = 1 - float(np.sum(ties**3 - ties)) / (size**3 - size)
        variance += n * m / (12 * (size + 1)) * shrink
    return float(norm.sf((total - expected) / np.sqrt(variance))) if variance > 0 else 1.0
