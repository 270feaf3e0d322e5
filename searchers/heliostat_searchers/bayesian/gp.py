"""Exact Gaussian-process regression in closed form, fitted by maximum a posteriori.

========== ==================================================================================
``n k b``  rows of data, feature columns, rows asked about
``X y``    features (``n x k``) and standardised values (``n``)
``ℓ σ² c`` length scales (``k``), noise variance, constant mean
``K``      ``k(X, X) + diag(noise)``, ``n x n``
``α``      ``K⁻¹ (y - c)``
``W``      ``ααᵀ - K⁻¹``, so that ``d log p(y)/dθ = ½ Σ W ∘ dK/dθ``
========== ==================================================================================

Model: ``y = f(x) + ε`` with ``f ~ GP(c, k)`` of unit variance. Priors: ``log ℓ ~ N(√2 + ½ log d, 3)``
(Hvarfner, Hellsten and Nardi 2024, *Vanilla Bayesian optimization performs great in high dimensions*) and
``log σ² ~ N(-4, 1)``: BoTorch's ``SingleTaskGP``, at 1/10 of its cost. Formulas: Rasmussen and Williams
2006, §2.2, §5.4. The constant mean is solved for exactly, ``c = 1ᵀK⁻¹y / 1ᵀK⁻¹1``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from heliostat_searchers.bayesian.kernels import MATERN, RBF, Kernel, squared_distances

Array = NDArray[np.float64]

LENGTH_PRIOR = (np.sqrt(2.0), np.sqrt(3.0))
"""Location (before ``½ log d``) and scale of log ℓ (Hvarfner et al. 2024)."""

NOISE_PRIOR = (-4.0, 1.0)
"""Location and scale of log σ²: noise of about 2 % of the variance (BoTorch's default)."""

LENGTH_BOUNDS = (2.5e-2, 1e3)
"""Below: BoTorch's bound, where rows no longer see each other; above: a column without effect."""

NOISE_CEILING = 4.0
"""Largest σ²; values are standardised, so 1 already calls everything noise."""

TOLERANCE = 1e-6
"""Relative change of the MAP value at which the fit ends: the same MAP to 5 digits as at 1e-9."""

ITERATIONS = 100
"""Most steps of a fit; data of 1000 rows took 71."""

JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""Diagonal added until the Cholesky factor exists; beyond 1e-4 the data are at fault."""


@dataclass(frozen=True)
class Hyperparameters:
    """What a fit finds.

    Args:
        kernel: The covariance function.
        lengths: ℓ, shape ``k``.
        noise: σ².
        score: Log posterior density per row at the optimum.
    """

    kernel: Kernel
    lengths: Array
    noise: float
    score: float = 0.0


@dataclass(frozen=True, eq=False)
class Data:
    """Rows to learn from.

    Args:
        points: X, ``n x k``.
        values: y, ``n``, standardised.
        noise: Known noise variance of each row, NaN where it must be learned, ``n``.
    """

    points: Array
    values: Array
    noise: Array

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    def extended(self, points: Array, values: Array) -> Data:
        """These rows and others whose noise is not known."""
        unknown = np.full(len(values), np.nan)
        return Data(
            np.vstack([self.points, points]),
            np.concatenate([self.values, values]),
            np.concatenate([self.noise, unknown]),
        )

    def part(self, chosen: NDArray[np.intp]) -> Data:
        """The chosen rows."""
        return Data(self.points[chosen], self.values[chosen], self.noise[chosen])


@dataclass(frozen=True, eq=False)
class GP:
    """A posterior: data under fixed hyper-parameters."""

    data: Data
    hyper: Hyperparameters

    def at(self, points: Array) -> tuple[Array, Array]:
        """Mean and variance of f at `points` (``b x k``), each of shape ``b``."""
        cross, _ = self._cross(points)
        mean = self._constant + cross @ self._weights
        half = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        return mean, np.maximum(1.0 - np.sum(half**2, axis=0), SMALLEST_VARIANCE)

    def slopes(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """Mean, variance (``b``) and their gradients with respect to `points` (``b x k``).

        ``dμ/dx = Σᵢ αᵢ dkᵢ/dx`` and ``dσ²/dx = -2 Σᵢ (K⁻¹k)ᵢ dkᵢ/dx``.
        """
        cross, slope = self._cross(points)
        solved = cho_solve((self._factor, True), cross.T, check_finite=False).T
        variance = np.maximum(1.0 - np.sum(cross * solved, axis=1), SMALLEST_VARIANCE)
        mean = self._constant + cross @ self._weights
        return (
            mean,
            variance,
            self._pull(points, slope * self._weights),
            self._pull(points, -2.0 * slope * solved),
        )

    def with_rows(self, points: Array, values: Array) -> GP:
        """The posterior after more rows, under the same hyper-parameters and mean."""
        return replace(self, data=self.data.extended(points, values)) if len(values) else self

    @cached_property
    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance of each value predicted from all others (Rasmussen and Williams, §5.4.2)."""
        inverse = cho_solve((self._factor, True), np.eye(self.data.n), check_finite=False)
        diagonal = np.diag(inverse)
        return self.data.values - self._weights / diagonal, 1.0 / diagonal

    @cached_property
    def _factor(self) -> Array:
        hyper = self.hyper
        squared = squared_distances(self.data.points, self.data.points, hyper.lengths)
        return _cholesky(hyper.kernel.shape(squared)[0] + np.diag(_noise(self.data, hyper)))

    @cached_property
    def _constant(self) -> float:
        return _constant(self._factor, self.data.values)

    @cached_property
    def _weights(self) -> Array:
        residual = self.data.values - self._constant
        return np.asarray(cho_solve((self._factor, True), residual, check_finite=False))

    def _cross(self, points: Array) -> tuple[Array, Array]:
        squared = squared_distances(points, self.data.points, self.hyper.lengths)
        return self.hyper.kernel.shape(squared)

    def _pull(self, points: Array, weights: Array) -> Array:
        """``Σᵢ wᵢ dkᵢ/dx`` with the kernel's h already in `weights` (``b x n``), shape ``b x k``."""
        total = points * weights.sum(axis=1)[:, None] - weights @ self.data.points
        return np.asarray(-total / self.hyper.lengths**2)


SMALLEST_VARIANCE = 1e-10
"""Variances below this are rounding errors of ``1 - kᵀK⁻¹k``."""


def fit(data: Data, owners: NDArray[np.intp], kernels: tuple[Kernel, ...] = (MATERN, RBF)) -> Hyperparameters:
    """The hyper-parameters of largest posterior density, over all `kernels`.

    Args:
        data: At least two rows.
        owners: Dimension of each feature column, ``k``: columns of one category share a length scale,
            because one-hot columns say nothing apart from each other.
        kernels: Families to choose among.
    """
    return max((_fit_one(data, owners, kernel) for kernel in kernels), key=lambda found: found.score)


def log_posterior(theta: Array, data: Data, owners: NDArray[np.intp], kernel: Kernel) -> tuple[float, Array]:
    """``(log p(y | θ) + log p(θ)) / n`` and its gradient at θ = (log ℓ by dimension, log σ²).

    Returns:
        A scalar and shape ``d + 1``.
    """
    by_dimension, noise = np.exp(theta[:-1]), float(np.exp(theta[-1]))
    hyper = Hyperparameters(kernel, by_dimension[owners], noise)
    value, slope = kernel.shape(squared_distances(data.points, data.points, hyper.lengths))
    factor = _cholesky(value + np.diag(_noise(data, hyper)))
    inverse = cho_solve((factor, True), np.eye(data.n), check_finite=False)
    residual = data.values - _constant(factor, data.values)
    weights = inverse @ residual
    likelihood = -0.5 * residual @ weights - np.log(np.diag(factor)).sum() - 0.5 * data.n * np.log(2 * np.pi)
    spread = np.outer(weights, weights) - inverse
    columns = _column_slopes(spread * slope, data.points) / hyper.lengths**2
    gradient = np.append(
        np.bincount(owners, columns, minlength=len(by_dimension)),
        0.5 * noise * np.diag(spread)[np.isnan(data.noise)].sum(),
    )
    prior, prior_slope = _log_prior(theta)
    return float(likelihood + prior) / data.n, (gradient + prior_slope) / data.n


def _fit_one(data: Data, owners: NDArray[np.intp], kernel: Kernel) -> Hyperparameters:
    d = int(owners.max()) + 1

    def loss(theta: Array) -> tuple[float, Array]:
        value, gradient = log_posterior(theta, data, owners, kernel)
        return -value, -gradient

    low = np.log([*[LENGTH_BOUNDS[0]] * d, kernel.floor])
    high = np.log([*[LENGTH_BOUNDS[1]] * d, NOISE_CEILING])
    found = minimize(
        loss,
        np.clip(_start(d), low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, high]),
        options={"ftol": TOLERANCE, "maxiter": ITERATIONS},
    )
    lengths, noise = np.exp(found.x[:-1])[owners], float(np.exp(found.x[-1]))
    return Hyperparameters(kernel, lengths, noise, -float(found.fun))


def _start(d: int) -> Array:
    """The modes of the priors, where BoTorch starts too."""
    length = LENGTH_PRIOR[0] + 0.5 * np.log(d) - LENGTH_PRIOR[1] ** 2
    return np.append(np.full(d, length), NOISE_PRIOR[0] - NOISE_PRIOR[1] ** 2)


def _log_prior(theta: Array) -> tuple[float, Array]:
    """Log-normal densities of ℓ and σ² (up to a constant) and their slopes in θ."""
    d = len(theta) - 1
    places = np.append(np.full(d, LENGTH_PRIOR[0] + 0.5 * np.log(d)), NOISE_PRIOR[0])
    scales = np.append(np.full(d, LENGTH_PRIOR[1]), NOISE_PRIOR[1])
    away = (theta - places) / scales
    return float(-theta.sum() - 0.5 * (away**2).sum()), -1.0 - away / scales


def _column_slopes(weights: Array, points: Array) -> Array:
    """``½ Σᵢⱼ wᵢⱼ (xᵢ - xⱼ)²`` for each column of `points`, with symmetric `weights`; shape ``k``."""
    return np.asarray(points.T**2 @ weights.sum(axis=1) - np.sum(points * (weights @ points), axis=0))


def _noise(data: Data, hyper: Hyperparameters) -> Array:
    known = np.maximum(data.noise, hyper.kernel.floor)
    return np.where(np.isnan(data.noise), hyper.noise, known)


def _constant(factor: Array, values: Array) -> float:
    solved = cho_solve((factor, True), np.column_stack([np.ones(len(values)), values]), check_finite=False)
    return float(solved[:, 1].sum() / solved[:, 0].sum())


def _cholesky(matrix: Array) -> Array:
    for jitter in JITTERS:
        try:
            lower, _ = cho_factor(matrix + jitter * np.eye(len(matrix)), lower=True, check_finite=False)
        except LinAlgError:
            continue
        return np.tril(lower)
    raise LinAlgError("the covariance matrix of the rows has no Cholesky factor")
