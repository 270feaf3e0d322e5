"""Hyper-parameters by maximum a posteriori, with the gradient in closed form.

``d log p(y)/dθ = ½ Σ W ∘ dK/dθ`` with ``W = ααᵀ - K⁻¹`` (Rasmussen and Williams 2006, eq. 5.9); letters as in
:mod:`.gp`. Priors: ``log ℓ ~ N(√2 + ½ log d, 3)`` (Hvarfner, Hellsten and Nardi 2024, *Vanilla Bayesian
optimization performs great in high dimensions*) and ``log σ² ~ N(-5, 4)``. Up to the wider noise prior, lower
noise floors (:mod:`.kernels`) and a constant mean in closed form this is BoTorch's ``SingleTaskGP``, at a
tenth of its cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from heliostat_searchers.bayesian.gp import Data, Hyperparameters, cholesky, constant_of, noise_of
from heliostat_searchers.bayesian.kernels import MATERN, RBF, Kernel, squared_distances

Array = NDArray[np.float64]

LENGTH_PRIOR = (np.sqrt(2.0), np.sqrt(3.0))
"""Location (before ``½ log d``) and scale of log ℓ (Hvarfner et al. 2024)."""

NOISE_PRIOR = (-5.0, 2.0)
"""Location and scale of log σ². BoTorch's (-4, 1) keeps noise of 1 % of the variance where there is none,
and a search that never gets precise: 50 runs, 6 seeds, median regrets on Branin 6e-4 → 1e-4, Rosenbrock in 5
dimensions 5.0 → 3.8, a rotated Rastrigin 33 → 21; on Ackley in 10 dimensions, where ripples are better taken
for noise, 9 → 12. Still wider, (-8, 3), Ackley loses more (15) than others win."""

LENGTH_BOUNDS = (2.5e-2, 1e3)
"""Below: BoTorch's bound, where rows no longer see each other; above: a column without effect."""

NOISE_CEILING = 4.0
"""Largest σ²; values are standardised, so 1 already calls everything noise."""

TOLERANCE = 1e-6
"""Relative change of the MAP value at which the fit ends: the same MAP to 5 digits as at 1e-9."""

ITERATIONS = 100
"""Most steps of a fit; data of 1000 rows took 71."""

FEW = 8
"""Steps of a fit that starts near its end, which decide between alternatives: L-BFGS's first curvature
estimates are in by then, and a likelihood that is still far off loses anyway."""

AMPLITUDES = (1.0, 0.3)
"""Shares of the variance that a trend may leave to the kernel: all of it, where it explains nothing, or the
30 % that remain where it correlates by 0.84 with the results; the weights adapt between the two."""


@dataclass(frozen=True)
class Priors:
    """Beliefs before the data: location and scale of ``log ℓ - ½ log d`` and of ``log σ²``."""

    length: tuple[float, float] = LENGTH_PRIOR
    noise: tuple[float, float] = NOISE_PRIOR


PRIORS = Priors()


def fit(
    data: Data,
    owners: NDArray[np.intp],
    kernels: tuple[Kernel, ...] = (MATERN, RBF),
    priors: Priors = PRIORS,
    near: Hyperparameters | None = None,
) -> Hyperparameters:
    """The hyper-parameters of largest posterior density, over all `kernels`.

    Args:
        data: At least two rows.
        owners: Dimension of each feature column, ``k``: columns of one category share a length scale,
            because one-hot columns say nothing apart from each other.
        kernels: Families to choose among.
        priors: Of length scales and noise.
        near: Where to start, for a few steps only; by default at the priors, until nothing changes.
    """
    amplitudes = AMPLITUDES if data.trend else (1.0,)
    start, steps = (_start(owners, priors), ITERATIONS) if near is None else (_theta(near, owners), FEW)
    found = [
        _fit_one(data, owners, kernel, amplitude, priors, start, steps)
        for kernel in kernels
        for amplitude in amplitudes
    ]
    return max(found, key=lambda item: item.score)


def log_posterior(
    theta: Array,
    data: Data,
    owners: NDArray[np.intp],
    kernel: Kernel,
    amplitude: float = 1.0,
    priors: Priors = PRIORS,
) -> tuple[float, Array]:
    """``(log p(y | θ) + log p(θ)) / n`` and its gradient at θ = (log ℓ by dimension, log σ²).

    Returns:
        A scalar and shape ``d + 1``.
    """
    by_dimension, noise = np.exp(theta[:-1]), float(np.exp(theta[-1]))
    lengths = by_dimension[owners]
    value, slope = kernel.shape(squared_distances(data.points, data.points, lengths))
    covariance = amplitude * value
    if data.trend:
        covariance += data.trend.variance * data.basis @ data.basis.T
    covariance[np.diag_indices(data.n)] += noise_of(data, noise, kernel)
    factor = cholesky(covariance)
    residual = data.residual - constant_of(factor, data.residual)
    weights = cho_solve((factor, True), residual, check_finite=False)
    likelihood = -0.5 * residual @ weights - np.log(np.diag(factor)).sum() - 0.5 * data.n * np.log(2 * np.pi)
    inverse = _lower_inverse(factor)
    columns = _outer_slopes(weights, slope, data.points) - _lower_slopes(inverse * slope, data.points)
    spread = weights**2 - np.diag(inverse)
    gradient = np.append(
        np.bincount(owners, amplitude * columns / lengths**2, minlength=len(by_dimension)),
        0.5 * noise * spread[np.isnan(data.noise)].sum(),
    )
    prior, prior_slope = _log_prior(theta, priors)
    return float(likelihood + prior) / data.n, (gradient + prior_slope) / data.n


def _fit_one(
    data: Data,
    owners: NDArray[np.intp],
    kernel: Kernel,
    amplitude: float,
    priors: Priors,
    start: Array,
    steps: int,
) -> Hyperparameters:
    d = len(start) - 1

    def loss(theta: Array) -> tuple[float, Array]:
        value, gradient = log_posterior(theta, data, owners, kernel, amplitude, priors)
        return -value, -gradient

    low = np.log([*[LENGTH_BOUNDS[0]] * d, kernel.floor])
    high = np.log([*[LENGTH_BOUNDS[1]] * d, NOISE_CEILING])
    found = minimize(
        loss,
        np.clip(start, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, high]),
        options={"ftol": TOLERANCE, "maxiter": steps},
    )
    lengths, noise = np.exp(found.x[:-1])[owners], float(np.exp(found.x[-1]))
    return Hyperparameters(kernel, lengths, noise, -float(found.fun), amplitude)


def _theta(hyper: Hyperparameters, owners: NDArray[np.intp]) -> Array:
    _, first = np.unique(owners, return_index=True)
    return np.asarray(np.log(np.append(hyper.lengths[first], hyper.noise)))


def _start(owners: NDArray[np.intp], priors: Priors) -> Array:
    """The mode of the length prior, where BoTorch starts too, and the location of the noise prior."""
    d = int(owners.max()) + 1
    length = priors.length[0] + 0.5 * np.log(d) - priors.length[1] ** 2
    return np.append(np.full(d, length), priors.noise[0])


def _log_prior(theta: Array, priors: Priors) -> tuple[float, Array]:
    """Log-normal densities of ℓ and σ² (up to a constant) and their slopes in θ."""
    d = len(theta) - 1
    places = np.append(np.full(d, priors.length[0] + 0.5 * np.log(d)), priors.noise[0])
    scales = np.append(np.full(d, priors.length[1]), priors.noise[1])
    away = (theta - places) / scales
    return float(-theta.sum() - 0.5 * (away**2).sum()), -1.0 - away / scales


def _lower_inverse(factor: Array) -> Array:
    """The lower half of the inverse of a matrix from its lower Cholesky factor, zeros above the diagonal."""
    lower, _ = dpotri(factor, lower=1)
    return np.asarray(lower)


def _outer_slopes(weights: Array, slope: Array, points: Array) -> Array:
    """``½ Σᵢⱼ wᵢ wⱼ hᵢⱼ (xᵢ - xⱼ)²`` for each column of `points`, with symmetric `slope` h; shape ``k``."""
    weighted = points * weights[:, None]
    pulled = slope @ np.column_stack([weights, weighted])
    return np.asarray((points * weighted).T @ pulled[:, 0] - np.sum(weighted * pulled[:, 1:], axis=0))


def _lower_slopes(lower: Array, points: Array) -> Array:
    """``Σ_{i>j} lᵢⱼ (xᵢ - xⱼ)²`` for each column of `points`, of a lower triangular matrix; shape ``k``."""
    sums = lower.sum(axis=0) + lower.sum(axis=1)
    return np.asarray(points.T**2 @ sums - 2.0 * np.sum(points * (lower @ points), axis=0))
