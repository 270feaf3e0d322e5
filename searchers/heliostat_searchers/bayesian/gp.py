"""Exact Gaussian-process regression in closed form: posteriors under given hyper-parameters.

========== ==================================================================================
``n k b``  rows of data, feature columns, rows asked about
``X y``    features (``n x k``) and standardised values (``n``)
``ℓ a σ²`` length scales (``k``), variance of the kernel, noise variance
``Φ T``    basis of the trend at X (``n x s``), prior variance of its weights; mostly absent
``K``      ``a k(X, X) + Φ T Φᵀ + diag(noise)``, ``n x n``
``c``      constant mean, ``1ᵀK⁻¹r / 1ᵀK⁻¹1`` with ``r = y - Φ b``
``α``      ``K⁻¹ (r - c)``
========== ==================================================================================

Model: ``y = c + trend(x) + g(x) + ε`` with ``g ~ GP(0, a k)``. Formulas: Rasmussen and Williams 2006, §2.2,
§2.7, §5.4. How hyper-parameters are found: :mod:`.fitting`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotrf, dtrtri

from heliostat_searchers.bayesian.kernels import Kernel, squared_distances
from heliostat_searchers.bayesian.trend import NO_TREND, Trend

Array = NDArray[np.float64]

JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""Diagonal added until the Cholesky factor exists; beyond 1e-4 the data are at fault."""

NO_FIT = (LinAlgError, ValueError, FloatingPointError)
"""What linear algebra raises on results that no model fits: no factor exists, or a number is none. A search
goes on without the model, and says so."""

SMALLEST_VARIANCE = 1e-10
"""Variances below this are rounding errors of ``1 - kᵀK⁻¹k``."""


@dataclass(frozen=True)
class Hyperparameters:
    """What a fit finds.

    Args:
        kernel: The covariance function.
        lengths: ℓ, shape ``k``.
        noise: σ².
        score: Log posterior density per row at the optimum.
        amplitude: a; 1 unless a trend explains part of the variance.
    """

    kernel: Kernel
    lengths: Array
    noise: float
    score: float = 0.0
    amplitude: float = 1.0


@dataclass(frozen=True, eq=False)
class Data:
    """Rows to learn from.

    Args:
        points: X, ``n x k``.
        values: y, ``n``, standardised.
        noise: Known noise variance of each row, NaN where it must be learned, ``n``.
        trend: What other experiments say.
    """

    points: Array
    values: Array
    noise: Array
    trend: Trend = NO_TREND

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    @cached_property
    def basis(self) -> Array:
        """Φ, ``n x s``."""
        return self.trend.at(self.points)

    @property
    def residual(self) -> Array:
        """``y - Φ b``, ``n``."""
        return np.asarray(self.values - self.trend.weight * self.basis.sum(axis=1))

    def extended(self, points: Array, values: Array) -> Data:
        """These rows and others whose noise is not known."""
        unknown = np.full(len(values), np.nan)
        return Data(
            np.vstack([self.points, points]),
            np.concatenate([self.values, values]),
            np.concatenate([self.noise, unknown]),
            self.trend,
        )

    def part(self, chosen: NDArray[np.intp]) -> Data:
        """The chosen rows."""
        return Data(self.points[chosen], self.values[chosen], self.noise[chosen], self.trend)


@dataclass(frozen=True, eq=False)
class GP:
    """A posterior: data under fixed hyper-parameters."""

    data: Data
    hyper: Hyperparameters

    def at(self, points: Array) -> tuple[Array, Array]:
        """Mean and variance of f at `points` (``b x k``), each of shape ``b``."""
        basis = self.data.trend.at(points)
        cross = self._cross(points, basis)
        mean = self._mean(basis) + cross @ self._weights
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        return mean, np.maximum(self._prior_variance(basis) - np.sum(half**2, axis=0), SMALLEST_VARIANCE)

    def mean(self, points: Array) -> Array:
        """Mean of f at `points` (``b x k``), shape ``b``; the variance would cost n times as much."""
        basis = self.data.trend.at(points)
        return np.asarray(self._mean(basis) + self._cross(points, basis) @ self._weights)

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """Mean, variance (``b``) and their gradients with respect to `points` (``b x k``).

        ``dμ/dx = Σᵢ αᵢ dkᵢ/dx`` and ``dσ²/dx = -2 Σᵢ (K⁻¹k)ᵢ dkᵢ/dx``.
        """
        squared = squared_distances(points, self.data.points, self.hyper.lengths)
        value, slope = self.hyper.kernel.shape(squared)
        trend, amplitude = self.data.trend, self.hyper.amplitude
        basis, basis_slope = trend.slopes(points) if trend else (np.zeros((len(points), 0)), None)
        cross = amplitude * value + self._basis_part(basis)
        half = cross @ self._unfactor.T
        solved = half @ self._unfactor
        variance = np.maximum(self._prior_variance(basis) - np.sum(half**2, axis=1), SMALLEST_VARIANCE)
        mean = self._mean(basis) + cross @ self._weights
        by_mean = self._pull(points, amplitude * slope * self._weights)
        by_variance = self._pull(points, -2.0 * amplitude * slope * solved)
        if basis_slope is not None:
            weights = trend.weight + trend.variance * (self.data.basis.T @ self._weights)
            by_mean += np.einsum("s,bsk->bk", weights, basis_slope)
            pulled = 2.0 * trend.variance * (basis - solved @ self.data.basis)
            by_variance += np.einsum("bs,bsk->bk", pulled, basis_slope)
        return mean, variance, by_mean, by_variance

    def covariance(self, left: Array, right: Array) -> Array:
        """Posterior covariance of f between points (``a x k`` and ``b x k``), shape ``a x b``."""
        bases = self.data.trend.at(left), self.data.trend.at(right)
        squared = squared_distances(left, right, self.hyper.lengths)
        prior = self.hyper.amplitude * self.hyper.kernel.shape(squared)[0]
        prior = prior + self.data.trend.variance * bases[0] @ bases[1].T
        halves = [
            solve_triangular(self._factor, self._cross(points, basis).T, lower=True, check_finite=False)
            for points, basis in zip((left, right), bases, strict=True)
        ]
        return np.asarray(prior - halves[0].T @ halves[1])

    def with_rows(self, points: Array, values: Array) -> GP:
        """The posterior after more rows, under the same hyper-parameters.

        The factor grows by a block, which costs n² a row instead of n³.
        """
        if not len(values):
            return self
        grown = replace(self, data=self.data.extended(points, values))
        corner = GP(Data(points, values, np.full(len(values), np.nan), self.data.trend), self.hyper)
        factor = _grown(self._factor, self._cross(points, self.data.trend.at(points)), corner._covariance)
        if factor is not None:
            vars(grown)["_factor"] = factor
        return grown

    @cached_property
    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance of each value predicted from all others (Rasmussen and Williams, §5.4.2)."""
        inverse = cho_solve((self._factor, True), np.eye(self.data.n), check_finite=False)
        diagonal = np.diag(inverse)
        return self.data.values - self._weights / diagonal, 1.0 / diagonal

    @property
    def _covariance(self) -> Array:
        data, hyper = self.data, self.hyper
        squared = squared_distances(data.points, data.points, hyper.lengths)
        return np.asarray(
            hyper.amplitude * hyper.kernel.shape(squared)[0]
            + data.trend.variance * data.basis @ data.basis.T
            + np.diag(noise_of(data, hyper.noise, hyper.kernel))
        )

    @cached_property
    def _factor(self) -> Array:
        return cholesky(self._covariance)

    @cached_property
    def _unfactor(self) -> Array:
        """The inverse of the factor: for the few points of each step of a climb, products are quicker."""
        inverse, _ = dtrtri(self._factor, lower=1)
        return np.asarray(inverse)

    @cached_property
    def _constant(self) -> float:
        return constant_of(self._factor, self.data.residual)

    @cached_property
    def _weights(self) -> Array:
        residual = self.data.residual - self._constant
        return np.asarray(cho_solve((self._factor, True), residual, check_finite=False))

    def _mean(self, basis: Array) -> Array:
        return np.asarray(self._constant + self.data.trend.weight * basis.sum(axis=1))

    def _prior_variance(self, basis: Array) -> Array:
        return np.asarray(self.hyper.amplitude + self.data.trend.variance * np.sum(basis**2, axis=1))

    def _cross(self, points: Array, basis: Array) -> Array:
        squared = squared_distances(points, self.data.points, self.hyper.lengths)
        return np.asarray(
            self.hyper.amplitude * self.hyper.kernel.shape(squared)[0] + self._basis_part(basis)
        )

    def _basis_part(self, basis: Array) -> Array:
        return np.asarray(self.data.trend.variance * basis @ self.data.basis.T)

    def _pull(self, points: Array, weights: Array) -> Array:
        """``Σᵢ wᵢ dkᵢ/dx`` with the kernel's h already in `weights` (``b x n``), shape ``b x k``."""
        total = points * weights.sum(axis=1)[:, None] - weights @ self.data.points
        return np.asarray(-total / self.hyper.lengths**2)


def noise_of(data: Data, learned: float, kernel: Kernel) -> Array:
    """Noise variance of each row, ``n``: what is known, never below the kernel's floor, else `learned`."""
    return np.where(np.isnan(data.noise), learned, np.maximum(data.noise, kernel.floor))


def constant_of(factor: Array, residual: Array) -> float:
    """The constant mean of largest likelihood."""
    ones = np.ones(len(residual))
    solved = cho_solve((factor, True), np.column_stack([ones, residual]), check_finite=False)
    return float(solved[:, 1].sum() / solved[:, 0].sum())


def cholesky(matrix: Array) -> Array:
    """The lower factor, with as little jitter as it takes.

    Raises:
        LinAlgError: There is none.
    """
    for jitter in JITTERS:
        # LAPACK itself: SciPy's wrapper would copy the matrix twice more.
        lower, failed = dpotrf(matrix + jitter * np.eye(len(matrix)) if jitter else matrix, lower=1, clean=1)
        if not failed:
            return np.asarray(lower)
    raise LinAlgError("the covariance matrix of the rows has no Cholesky factor")


def _grown(factor: Array, cross: Array, corner: Array) -> Array | None:
    """The factor of a matrix with more rows, or None where rounding leaves none."""
    n, more = len(factor), len(corner)
    below = solve_triangular(factor, cross.T, lower=True, check_finite=False).T
    try:
        rest, _ = cho_factor(corner - below @ below.T, lower=True, check_finite=False)
    except LinAlgError:
        return None
    result = np.zeros((n + more, n + more))
    result[:n, :n], result[n:, :n], result[n:, n:] = factor, below, np.tril(rest)
    return result
