"""Monotone changes of a metric's scale, so that a Gaussian process sees differences where they matter.

A metric with a long bad tail (losses, latencies) looks flat near its optimum once it is standardised. A
warped Gaussian process (Snelson, Rasmussen and Ghahramani 2004) models a compressed metric instead; which
compression, if any, the marginal likelihood decides, with the Jacobian that makes densities comparable. That
transforming the output is among the largest single gains of Bayesian optimisation on tuning tasks is a
finding of Cowen-Rivers et al. 2022 (HEBO).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LARGEST_EXPONENT = 50.0
"""Bounds how far back a bad belief is carried: e⁵⁰ scales below the best value is out of every range."""


@dataclass(frozen=True)
class Warp:
    """``w(v) = -s log(1 + (top - v)/s)``, then standardised; more is better on both sides.

    Args:
        scale: s, in standardised units: the tail beyond it is compressed; infinite for no change.
        top: Best value.
        centre: Of w over the rows.
        spread: Of w over the rows.
    """

    scale: float = inf
    top: float = 0.0
    centre: float = 0.0
    spread: float = 1.0

    def forward(self, values: Array) -> Array:
        """Warped values, shape as given; values at or above ``top + s`` come to the largest belief."""
        return np.asarray((self._raw(values) - self.centre) / self.spread)

    def backward(self, warped: Array) -> Array:
        """The values that are warped to these."""
        raw = warped * self.spread + self.centre
        if self.scale == inf:
            return np.asarray(raw)
        return np.asarray(
            self.top - self.scale * np.expm1(np.clip(-raw / self.scale, -LARGEST_EXPONENT, LARGEST_EXPONENT))
        )

    def slope(self, values: Array) -> Array:
        """``dw/dv``, shape as given."""
        if self.scale == inf:
            return np.full(np.shape(values), 1.0 / self.spread)
        return np.asarray(1.0 / (self._room(values) * self.spread))

    def _raw(self, values: Array) -> Array:
        return values if self.scale == inf else -self.scale * np.log(self._room(values))

    def _room(self, values: Array) -> Array:
        return np.maximum(1.0 + (self.top - values) / self.scale, np.exp(-LARGEST_EXPONENT))


IDENTITY = Warp()


def warp_of(values: Array, scale: float) -> Warp:
    """The warp of this scale that standardises these values (``n``, not all equal)."""
    raw = Warp(scale, float(values.max())).forward(values)
    return Warp(scale, float(values.max()), float(raw.mean()), float(raw.std()) or 1.0)
