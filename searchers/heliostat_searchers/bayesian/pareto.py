"""Several objectives: fronts, the reference point, and the expected hypervolume improvement as a term.

The front is that of the posterior means at feasible known points ("plug-in"), which costs 0.01 s where
sampling it costs 0.1 to 1.5 s. Guardrails are separate terms: with independent models
``log E[HVI · 1(feasible)] = log E[HVI] + Σ log Φ``.
Letters: ``n`` points, ``m`` objectives, ``b`` points asked about, ``c`` boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp

from heliostat_searchers.bayesian.acquisition import Worth, log_density, log_improvement, log_one_minus_exp
from heliostat_searchers.bayesian.boxes import boxes

Array = NDArray[np.float64]

MARGIN = 0.1
"""How far the reference point lies behind the worst feasible value, as a share of the values' extent: a
tenth, as in BoTorch (after Ishibuchi, Akedo and Nojima 2011, *A many-objective test problem for visually
examining diversity maintenance behavior in a decision space*), which measures it from the worst of the
front."""

HYPERVOLUME_OBJECTIVES = 4
"""Most objectives for which hypervolume is used; its cost grows exponentially with them."""

CHUNK = 20_000
"""Points times boxes at once, so that they stay in the processor's cache."""


def is_efficient(values: Array) -> NDArray[np.bool_]:
    """Which rows of `values` (``n x m``, more is better) no other row dominates; repeats all count."""
    at_least = np.all(values[:, None] >= values[None], axis=2)
    above = np.any(values[:, None] > values[None], axis=2)
    return np.asarray(~np.any(at_least & above, axis=0))


def reference_point(values: Array, limits: Sequence[float | None]) -> Array:
    """Where the dominated volume starts: the user's threshold, else a bit behind the worst value; ``m``.

    The worst of all feasible points is taken, not the worst of the front as is often done: an early front is
    short, and behind its nadir nothing would be worth trying, so the search would stay in one corner.

    Args:
        values: Feasible points, ``n x m``, at least one.
        limits: Threshold of each objective, if it has one.
    """
    best, worst = values.max(axis=0), values.min(axis=0)
    extent = np.where(best > worst, best - worst, 1.0)  # values are standardised: 1 is their spread
    behind = worst - MARGIN * extent
    return np.array([place if limit is None else limit for place, limit in zip(behind, limits, strict=True)])


class LogHypervolumeImprovement:
    """``log E[HV(front ∪ y) - HV(front)]``, exact for independent objectives.

    The undominated region is split into boxes [l, u]; in each of them the expected gain is the product of
    ``E[(min(yⱼ, uⱼ) - lⱼ)₊] = σⱼ (h(zₗ) - h(zᵤ))`` with ``z = (μ - l)/σ`` and `h` as in
    :class:`.acquisition.LogExpectedImprovement` (Yang, Emmerich, Deutz and Bäck 2019, *Multi-objective
    Bayesian global optimization using expected hypervolume improvement gradient*). All of it is
    computed in logarithms, so that the gradient lives where the gain underflows (Ament et al. 2023).

    Args:
        front: Values of feasible known points, ``n x m``, standardised.
        reference: The reference point, ``m``.
    """

    def __init__(self, front: Array, reference: Array) -> None:
        self.m = len(reference)
        lower, upper = boxes(front, reference)
        self._sides = [_Sides.of(lower[:, place], upper[:, place]) for place in range(self.m)]
        self._chunk = max(1, CHUNK // len(lower))

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """See :class:`.acquisition.Term`; the objectives are the first `m` models."""
        values, by_mean, by_stddev = np.zeros(len(mean)), np.zeros_like(mean), np.zeros_like(stddev)
        for start in range(0, len(mean), self._chunk):
            part = slice(start, start + self._chunk)
            values[part] = self._worth(mean[part], stddev[part], by_mean[part], by_stddev[part])
        return values, by_mean, by_stddev

    def _worth(self, mean: Array, stddev: Array, by_mean: Array, by_stddev: Array) -> Array:
        gains = [side.gains(mean[:, j], stddev[:, j]) for j, side in enumerate(self._sides)]
        logs = np.sum([gain.log for gain in gains], axis=0)
        total = np.asarray(logsumexp(logs, axis=1))
        shares = np.exp(logs - total[:, None])
        for j, gain in enumerate(gains):
            by_mean[:, j] = np.einsum("bc,bc->b", shares, gain.by_mean)
            by_stddev[:, j] = np.einsum("bc,bc->b", shares, gain.by_stddev)
        return total


@dataclass(frozen=True, eq=False)
class _Gains:
    """``log`` of the expected part of one objective in each box and its slopes, ``b x c`` each."""

    log: Array
    by_mean: Array
    by_stddev: Array


@dataclass(frozen=True, eq=False)
class _Sides:
    """The boxes along one objective: they share few ends, so functions are evaluated at the ends.

    Args:
        ends: Distinct finite ends.
        lower: Place in `ends` of each box's lower end.
        upper: The same of its upper end; one past the last for infinity.
    """

    ends: Array
    lower: NDArray[np.intp]
    upper: NDArray[np.intp]

    @classmethod
    def of(cls, lower: Array, upper: Array) -> _Sides:
        finite = upper[np.isfinite(upper)]
        ends = np.unique(np.concatenate([lower, finite]))
        return cls(ends, np.searchsorted(ends, lower), np.searchsorted(ends, upper))

    def gains(self, mean: Array, sigma: Array) -> _Gains:
        z = (mean[:, None] - self.ends) / sigma[:, None]
        improvement = _with_infinity(np.log(sigma)[:, None] + log_improvement(z))
        chance, density = _with_infinity(log_ndtr(z)), _with_infinity(log_density(z))
        at_lower = improvement[:, self.lower]
        log = at_lower + log_one_minus_exp(improvement[:, self.upper] - at_lower)
        return _Gains(log, self._slopes(chance, log), self._slopes(density, log))

    def _slopes(self, ends: Array, log: Array) -> Array:
        return np.asarray(np.exp(ends[:, self.lower] - log) - np.exp(ends[:, self.upper] - log))


def _with_infinity(logs: Array) -> Array:
    """The values at the ends, and at infinity: 0, whose logarithm is ``-inf``."""
    return np.column_stack([logs, np.full(len(logs), -np.inf)])
