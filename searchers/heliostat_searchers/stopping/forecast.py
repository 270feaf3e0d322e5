"""Where a curve will end: a Bayesian linear regression on what finished curves had shown by the same step.

Under a power law ``v(t) = v∞ - c t⁻ᵃ`` (Domhan et al. 2015) what is still to come is in proportion to what
came between t/2 and t; the regression learns the proportion from the finished curves instead of assuming a
law, and a prior draws it to "as the others gained". All steering metrics are predicted together, from all
that was shown of any of them, so correlated errors stay correlated (conjugate multivariate regression, Box
and Tiao 1973, *Bayesian inference in statistical analysis*, chapter 8). Freeze-thaw models (Swersky et al.
2014, arXiv:1406.3896) do the same with a Gaussian process over all curves, whose cost grows with their number
cubed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from heliostat_searchers.stopping.curves import Curve, Shown
from heliostat_searchers.stopping.scales import Scale

Array = NDArray[np.float64]

SHRINKAGE = 1.0
"""Prior precision of a coefficient on a standardised feature: one finished curve's worth."""

PRIOR_RUNS = 2.0
PRIOR_SHARE = 0.25
"""The residual spread is held to be this share of the targets' spread until so many runs say otherwise: five
points on a line would else make a model sure of everything."""

NEIGHBOURS, NEAR = 5, 0.2
"""The second expert asks the fifth of the finished runs that is nearest by what had been shown, at least 5: a
good run comes nearer to the best than a bad one ever will, on this scale by far."""

BEYOND = 0.5
"""Standard deviations of a feature beyond its extremes up to which the regression is followed: the next of a
few dozen draws seldom lies further out, and a line that is followed for longer ends anywhere."""

DRAWS = 1024
"""Chances down to 1 % are told apart with a standard error of 0.3 %."""


@dataclass(frozen=True, eq=False)
class Forecast:
    """Final values on their scales: what two experts say, each believed by half.

    The regression is a multivariate Student t. The other expert fits nothing: the run will change by what one
    of the finished ones that looked most like it changed by from the same step on. Where few runs have
    finished, or a run is unlike them, the regression is sure of what it cannot know; no chance is left only
    if both say so.

    Args:
        mean: Location of the regression's, ``m``.
        covariance: Its squared spread, ``m x m``.
        freedom: Its degrees of freedom.
        others: Final values if the run changed as each of the finished ones nearest to it did, ``k x m``.
    """

    mean: Array
    covariance: Array
    freedom: float
    others: Array

    def draws(self) -> Array:
        """The same stratified draws every time, ``DRAWS x m``."""
        normal, heavy = _standard(len(self.mean), self.freedom)
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        regressed = self.mean + (normal @ root.T) * heavy[:, None]
        n, m = self.others.shape
        width = self.others.std(axis=0) * n ** (-1.0 / (m + 4.0))  # Scott's rule
        as_others = self.others[np.arange(DRAWS // 2) % n] + width * normal[::2]
        quarter = DRAWS // 4  # of each antithetic half
        return np.vstack([regressed[:quarter], regressed[2 * quarter : 3 * quarter], as_others])


def forecast(finished: Shown, present: Curve, scales: Sequence[Scale]) -> Forecast:
    """The final values of a run.

    Args:
        finished: At least two curves that by its last step had shown what it has shown.
        present: What the run has shown.
        scales: On which values are predicted.
    """
    own = Shown.of([present], present.step)
    is_shown = np.isfinite(own.now[0])
    finals = _scaled(finished.finals, scales)
    # Where a metric is shown, its change is predicted: a prior mean of no coefficient then means "as others".
    gains = finals - np.where(is_shown, _scaled(finished.now, scales), 0.0)
    base = np.where(is_shown, _scaled(own.now, scales)[0], 0.0)
    row = _features(own, scales, is_shown)[0]
    return _regression(_features(finished, scales, is_shown), gains, row, base)


def _regression(seen: Array, targets: Array, own: Array, base: Array) -> Forecast:
    n = len(targets)
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    useful = spread > 1e-9 * np.maximum(np.abs(centre), 1.0)  # what never varied says nothing
    table = np.column_stack([np.ones(n), (seen - centre)[:, useful] / spread[useful]])
    row = np.append(1.0, (own - centre)[useful] / spread[useful])
    prior = np.full(len(row), SHRINKAGE)
    prior[0] = 1e-6  # the mean of the targets is taken as it is
    precision = table.T @ table + np.diag(prior)
    slopes = np.linalg.solve(precision, table.T @ targets)
    errors = targets - table @ slopes
    believed = np.diag((PRIOR_SHARE * targets.std(axis=0)) ** 2)
    noise = (errors.T @ errors + PRIOR_RUNS * believed) / (n + PRIOR_RUNS)
    unusual = 1.0 + float(row @ np.linalg.solve(precision, row))
    # A line is not trusted beyond what was seen: there only the uncertainty grows.
    within = np.clip(row, table.min(axis=0) - BEYOND, table.max(axis=0) + BEYOND)
    nearest = np.argsort(np.sum((table - row) ** 2, axis=1), kind="stable")[: max(NEIGHBOURS, ceil(n * NEAR))]
    others = base + targets[nearest]
    return Forecast(base + within @ slopes, noise * unusual, n + PRIOR_RUNS - 1.0, others)


def _features(shown: Shown, scales: Sequence[Scale], is_shown: NDArray[np.bool_]) -> Array:
    """Of each metric that is shown: its level, its gain over the last doubling, and its fall from the best.

    Jagged curves come back to their best; without the third a bad step is taken for a bad run.
    """
    level, before, best = (
        _scaled(part, scales)[:, is_shown] for part in (shown.now, shown.before, shown.best)
    )
    return np.column_stack([level, level - before, best - level])


def _scaled(values: Array, scales: Sequence[Scale]) -> Array:
    return np.column_stack([scale.apply(values[:, place]) for place, scale in enumerate(scales)])


@cache
def _normal(m: int) -> Array:
    """Antithetic standard normal draws, so that means are exact."""
    half = np.random.default_rng(0).standard_normal((DRAWS // 2, m))
    return np.vstack([half, -half])


@cache
def _standard(m: int, freedom: float) -> tuple[Array, Array]:
    chi = np.random.default_rng(1).chisquare(freedom, DRAWS // 2)
    return _normal(m), np.sqrt(freedom / np.append(chi, chi))
