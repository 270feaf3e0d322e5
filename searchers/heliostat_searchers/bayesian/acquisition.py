"""What a point is worth: a sum of log terms over the models' beliefs, with its gradient.

``a(x) = base(x) + Σ log P(guardrail met) + log P(success)``. Every term is a function of the posterior means
and standard deviations at x (``b x m`` each for `b` points and `m` models) and returns its value (``b``) and
its slopes in both; the chain rule through the GPs is written once. A new search mode is a new term.

Base terms: :class:`LogExpectedImprovement` for one objective (under noise with :class:`LogAnswer`),
:class:`.pareto.LogHypervolumeImprovement` for several, none while no feasible point is known (then safety
alone counts: Gelbart, Snoek and Adams 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr

from heliostat_searchers.bayesian.gp import GP
from heliostat_searchers.bayesian.places import LOG_ROOT_TWO_PI, Place

Array = NDArray[np.float64]
Worth = tuple[Array, Array, Array]
"""Value ``b``, slope in the means ``b x m``, slope in the standard deviations ``b x m``."""

DEEP = -1e4
"""Below, ``φ(z)/Φ(z)`` is -z to eight digits, and the difference of their logarithms loses more than that."""


class Term(Protocol):
    """One summand of an acquisition function."""

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """Value and slopes at beliefs of shape ``b x m``."""
        ...


@dataclass(frozen=True)
class LogExpectedImprovement:
    """``log E[max(f - best, 0)] = log σ + log h((μ - best)/σ)``, ``h(u) = φ(u) + u Φ(u)``.

    Ament et al. 2023, *Unexpected improvements to expected improvement for Bayesian optimization*.

    Args:
        best: Value to beat: the best posterior mean among known feasible points.
        model: Column of the objective.
    """

    best: float
    model: int = 0

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """See :class:`Term`."""
        sigma = stddev[:, self.model]
        u = (mean[:, self.model] - self.best) / sigma
        log_h = log_improvement(u)
        by_mean, by_stddev = np.zeros_like(mean), np.zeros_like(stddev)
        by_mean[:, self.model] = np.exp(log_ndtr(u) - log_h) / sigma
        by_stddev[:, self.model] = np.exp(log_density(u) - log_h) / sigma
        return np.log(sigma) + log_h, by_mean, by_stddev


@dataclass(frozen=True)
class LogAnswer:
    """``log(1 - σ_ε/√(σ² + σ_ε²))``: the share of an answer that is not noise.

    The factor of augmented expected improvement (Huang, Allen, Notz and Zeng 2006, *Global optimization of
    stochastic black-box systems via sequential kriging meta-models*): improvement alone asks one place again
    and again, long after its noise hides what is left to know there.

    Args:
        noise: σ_ε², positive, in the units of the objective's model.
        model: Column of the objective.
    """

    noise: float
    model: int = 0

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """See :class:`Term`."""
        sigma = stddev[:, self.model]
        share = -np.expm1(-0.5 * np.log1p(sigma**2 / self.noise))
        by_stddev = np.zeros_like(stddev)
        by_stddev[:, self.model] = (1.0 - share) / share * sigma / (sigma**2 + self.noise)
        return np.log(share), np.zeros_like(mean), by_stddev


@dataclass(frozen=True)
class LogProbability:
    """``log P(f >= limit) = log Φ((μ - limit)/σ)``: a guardrail, or success itself.

    Args:
        limit: At least this is wanted, standardised.
        model: Column of the model it speaks about.
    """

    limit: float
    model: int

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """See :class:`Term`."""
        sigma = stddev[:, self.model]
        z = (mean[:, self.model] - self.limit) / sigma
        value = log_ndtr(z)
        by_mean, by_stddev = np.zeros_like(mean), np.zeros_like(stddev)
        near = np.maximum(z, DEEP)
        hazard = np.where(z > DEEP, np.exp(log_density(near) - log_ndtr(near)), -z)
        by_mean[:, self.model] = hazard / sigma
        by_stddev[:, self.model] = -z * by_mean[:, self.model]
        return value, by_mean, by_stddev


@dataclass(frozen=True, eq=False)
class Acquisition:
    """The sum of terms over the beliefs of models.

    Args:
        models: `m` posteriors.
        terms: What counts of what they believe.
        places: What counts of where a point lies.
    """

    models: tuple[GP, ...]
    terms: tuple[Term, ...]
    places: tuple[Place, ...] = ()

    def values(self, points: Array) -> Array:
        """Worth of each point (``b x k``), shape ``b``."""
        beliefs = [model.at(points) for model in self.models]
        mean = np.column_stack([mean for mean, _ in beliefs])
        stddev = np.sqrt(np.column_stack([variance for _, variance in beliefs]))
        value = np.zeros(len(points))
        for term in self.terms:
            value += term(mean, stddev)[0]
        for place in self.places:
            value += place(points)[0]
        return value

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Worth (``b``) and its gradient (``b x k``) at `points` (``b x k``)."""
        beliefs = [model.slopes(points) for model in self.models]
        mean = np.column_stack([belief[0] for belief in beliefs])
        stddev = np.sqrt(np.column_stack([belief[1] for belief in beliefs]))
        value, gradient = np.zeros(len(points)), np.zeros_like(points)
        for term in self.terms:
            worth, by_mean, by_stddev = term(mean, stddev)
            value += worth
            for place, (_, _, mean_slope, variance_slope) in enumerate(beliefs):
                half = by_stddev[:, place] / (2.0 * stddev[:, place])
                gradient += by_mean[:, place, None] * mean_slope + half[:, None] * variance_slope
        for summand in self.places:
            worth, slope = summand(points)
            value += worth
            gradient += slope
        return value, gradient


def log_improvement(u: Array) -> Array:
    """``log(φ(u) + u Φ(u))`` without cancellation, also where it underflows (Ament et al., A.1).

    For ``u < -1`` it is ``log φ(u) + log(1 - exp(w))`` with ``w = log(|u| Φ(u)/φ(u))``; below -10⁶ the last
    term is ``-2 log|u|`` to machine precision.
    """
    upper, lower = np.maximum(u, -1.0), np.clip(u, -1e6, -1.0)
    near = np.log(np.exp(log_density(upper)) + upper * np.exp(log_ndtr(upper)))
    w = np.log(-lower * erfcx(-lower / np.sqrt(2.0)) * np.sqrt(np.pi / 2.0))
    tail = np.where(u > -1e6, log_one_minus_exp(w), -2.0 * np.log(np.maximum(np.abs(u), 1.0)))
    return np.asarray(np.where(u > -1.0, near, log_density(u) + tail))


def log_one_minus_exp(w: Array) -> Array:
    """``log(1 - exp(w))`` for ``w < 0`` (Mächler 2012)."""
    safe = np.minimum(w, -1e-300)
    near_zero = np.log(-np.expm1(np.maximum(safe, -1.0)))
    return np.where(safe > -np.log(2.0), near_zero, np.log1p(-np.exp(safe)))


def log_density(u: Array) -> Array:
    """``log φ(u)``."""
    return np.asarray(-0.5 * u**2 - LOG_ROOT_TWO_PI)
