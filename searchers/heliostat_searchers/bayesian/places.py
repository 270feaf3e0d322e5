"""What a point is worth for where it lies, whatever the models believe: priors, distances, coverage.

Terms over beliefs are in :mod:`.acquisition`. Letters: ``b`` points, ``k`` feature columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, log_expit, ndtr

from heliostat.space import Double, Space
from heliostat.space.priors import Beta, Normal
from heliostat_searchers.bayesian.cube import Cube, switch_values

Array = NDArray[np.float64]

LOG_ROOT_TWO_PI = 0.5 * float(np.log(2.0 * np.pi))

PRIOR_STRENGTH = 10.0
"""β of πBO (Hvarfner et al. 2022, *πBO: Augmenting acquisition functions with user beliefs*), whose weight is
β/n. Ours is β/n / (1 + n/β), which halves it after β runs: with β/n alone a wrong prior on Branin still held
the search at its flank after 25 runs in 2 seeds of 5."""

EVEN = 1e3
"""Scale of a normal, in widths of the bounds, from which its density is the same everywhere to six digits."""

FARTHEST = 1e6
"""Deviations beyond which a normal's density is zero for any purpose; their square must not overflow."""

DOUBT = 0.05
"""Share of a prior that is held to be uniform (ε-contamination: Berger 1985, *Statistical decision theory and
Bayesian analysis*, §4.7): the tail of a narrow normal would else outweigh any improvement, for hundreds of
runs, and its slope would lead a search away from it by small steps only."""

EDGE = 1e-3
"""Densities are read this far inside the bounds: a beta's may be zero or infinite at them."""

QUANTILES = 256
"""Of a prior, at which an expected log density is summed: two digits, also for the narrowest."""

STEEPNESS = 8.0
"""Width of a soft border, as a share of its radius, is one over this: narrow beside the radius, so that balls
keep their size, and wide beside a step of a climb, so that it feels the slope."""


class Place(Protocol):
    """One summand of an acquisition function that looks at the point itself."""

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """Value (``b``) and slope (``b x k``) at points of shape ``b x k``."""
        ...


@dataclass(frozen=True, eq=False)
class LogPrior:
    """``w · Σⱼ log πⱼ(xⱼ)`` over the doubles that have a prior, π a density over the unit interval.

    One that does not live counts as its prior expects, ``E[log πⱼ]``: on average neither the choices under
    which it lives nor the others are favoured for its having a prior.

    Args:
        space: Where the priors are declared.
        columns: Feature columns of each dimension.
        weight: w, which fades as runs come in.
    """

    space: Space
    columns: Sequence[slice]
    weight: float

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """See :class:`Place`."""
        value, slope = np.zeros(len(points)), np.zeros_like(points)
        for place, item in enumerate(self.space.dimensions):
            if isinstance(item, Double) and item.prior is not None:
                column = self.columns[place].start
                density, rise = _log_density(item, points[:, column])
                alive = self._is_alive(item, points)
                value += self.weight * np.where(alive, density, _expected_log_density(item))
                slope[:, column] += self.weight * np.where(alive, rise, 0.0)
        return value, slope

    def _is_alive(self, item: Double, points: Array) -> NDArray[np.bool_]:
        """Whether its switches are set for it, by their one-hot columns, which are empty in dead switches."""
        alive = np.ones(len(points), dtype=bool)
        for switch, wanted in item.conditions:
            start, values = self.columns[self.space.index[switch]].start, switch_values(self.space, switch)
            alive &= points[:, [start + values.index(value) for value in wanted]].any(axis=1)
        return alive


def log_prior(cube: Cube, runs: int) -> LogPrior | None:
    """The belief of the user after so many runs have ended; None if none was declared."""
    if not any(isinstance(item, Double) and item.prior is not None for item in cube.space.dimensions):
        return None
    return LogPrior(cube.space, tuple(cube.columns), _weight(max(runs, 1)))


def _weight(runs: int) -> float:
    return PRIOR_STRENGTH / runs / (1.0 + runs / PRIOR_STRENGTH)


@dataclass(frozen=True, eq=False)
class Apart:
    """``Σᵢ log sigmoid(…)``: at least `radius` away from each centre, with a soft border.

    Args:
        centres: Feature rows to stay away from, ``r x k``.
        radius: In the unit cube.
    """

    centres: Array
    radius: float

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """See :class:`Place`."""
        away = points[:, None, :] - self.centres[None]
        squared = np.sum(away**2, axis=2) / self.radius**2
        inner = STEEPNESS * (squared - 1.0)
        pull = (STEEPNESS * 2.0 / self.radius**2) * expit(-inner)
        return log_expit(inner).sum(axis=1), np.einsum("br,brk->bk", pull, away)


@dataclass(frozen=True, eq=False)
class LogCoverage:
    """``log`` of the share of a ball around x that no known point covers (Malkomes et al. 2021, ECI).

    The ball is a fixed set of offsets; a known point covers what is within `radius` of it, with a soft border
    that gives the share a slope. Offsets that leave the cube count as covered: nothing can be found there.

    Args:
        known: Feature rows, ``r x k``.
        offsets: In the ball of `radius`, ``o x k``.
        radius: In the unit cube.
    """

    known: Array
    offsets: Array
    radius: float

    def __call__(self, points: Array) -> tuple[Array, Array]:
        """See :class:`Place`."""
        value, slope = np.zeros(len(points)), np.zeros_like(points)
        for place, point in enumerate(points):
            value[place], slope[place] = self._at(point)
        return value, slope

    def _at(self, point: Array) -> tuple[float, Array]:
        ball = point + self.offsets
        inside = np.all((ball >= 0.0) & (ball <= 1.0), axis=1)
        ball = ball[inside]
        if not len(self.known) or not len(ball):
            return float(np.log(max(len(ball), 1e-3) / len(self.offsets))), np.zeros_like(point)
        near = self.known[np.argsort(np.sum((self.known - point) ** 2, axis=1))[:NEAREST]]
        away = ball[:, None, :] - near[None]
        inner = STEEPNESS * (np.sum(away**2, axis=2) / self.radius**2 - 1.0)
        log_free = log_expit(inner).sum(axis=1)
        free = np.exp(log_free)
        share = float(free.sum()) / len(self.offsets)
        rise = (STEEPNESS * 2.0 / self.radius**2) * np.einsum("or,ork->ok", expit(-inner), away)
        gradient = (free[:, None] * rise).sum(axis=0) / len(self.offsets)
        floor = LEAST_SHARE
        return float(np.log(share + floor)), gradient / (share + floor)


NEAREST = 24
"""Known points that are looked at around one point: in low dimensions more cannot overlap its ball."""

LEAST_SHARE = 1e-6
"""Added to the uncovered share, so that a point amid known ones still has a finite worth."""


@lru_cache(maxsize=256)  # a few hundred declared priors
def _expected_log_density(item: Double) -> float:
    """``E[log π]`` over the prior."""
    low, high = item.bounds
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    values = [item.prior.quantile(share, low, high) for share in shares] if item.prior else []
    return float(_log_density(item, (np.array(values) - low) / (high - low))[0].mean())


def _log_density(item: Double, unit: Array) -> tuple[Array, Array]:
    """Log density of a prior over the unit interval, a share of it uniform, and its slope."""
    if isinstance(item.prior, Normal):
        value, rise = _normal(item.prior, item.bounds, unit)
    elif isinstance(item.prior, Beta):
        value, rise = _beta(item.prior, np.clip(unit, EDGE, 1.0 - EDGE))
    else:
        return np.zeros_like(unit), np.zeros_like(unit)
    believed = np.log1p(-DOUBT) + value
    mixed = np.logaddexp(believed, np.log(DOUBT))
    share = np.exp(believed - mixed)
    return mixed, np.where(share > 0.0, share, 0.0) * np.where(share > 0.0, rise, 0.0)


def _normal(prior: Normal, bounds: tuple[float, float], unit: Array) -> tuple[Array, Array]:
    """Of a cut normal; one that is as good as even over the bounds counts as even."""
    low, high = bounds
    width, mean, scale = high - low, prior.mean, prior.scale
    inside = float(ndtr((high - mean) / scale) - ndtr((low - mean) / scale))
    if scale > EVEN * width or not inside > 0.0:
        return np.zeros_like(unit), np.zeros_like(unit)
    z = np.clip((low + width * unit - mean) / scale, -FARTHEST, FARTHEST)
    return -0.5 * z**2 - LOG_ROOT_TWO_PI + np.log(width / scale) - np.log(inside), -z * width / scale


def _beta(prior: Beta, unit: Array) -> tuple[Array, Array]:
    first, second = prior.shape_a - 1.0, prior.shape_b - 1.0
    with np.errstate(over="ignore", invalid="ignore"):  # shapes of 1e300: zero but at one point
        value = first * np.log(unit) + second * np.log1p(-unit) - betaln(first + 1.0, second + 1.0)
        rise = first / unit - second / (1.0 - unit)
    return np.nan_to_num(value, nan=-np.inf, posinf=-np.inf), rise
