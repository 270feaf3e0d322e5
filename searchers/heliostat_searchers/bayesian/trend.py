"""What other experiments say about a metric: a prior mean whose weights are learned with the data.

``f(x) = c + Σₛ βₛ mₛ(x) + g(x)`` with the posterior mean mₛ of source s, ``βₛ ~ N(bₛ, tₛ)`` and a GP g that
corrects them. The weights are integrated out, which adds ``Φ T Φᵀ`` to the covariance (O'Hagan 1978;
Rasmussen and Williams 2006, §2.7). An ensemble of the sources' models with learned weights is the idea of
Feurer, Letham and Bakshy 2018, *Scalable meta-learning for Bayesian optimization*. A source that turns out
unrelated gets weight 0, a reversed one a negative weight and is useful again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from heliostat_searchers.bayesian.gp import GP

Array = NDArray[np.float64]

WEIGHT_VARIANCE = 1.0
"""Prior variance of the sum of all weights around 1: one source in six points the other way."""


@dataclass(frozen=True, eq=False)
class Trend:
    """Source models as basis functions; `s` of them, none for no trend.

    Args:
        models: Posteriors over the same feature columns, their values standardised.
    """

    models: tuple[GP, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.models)

    @property
    def weight(self) -> float:
        """Prior mean of each weight: they sum to 1."""
        return 1.0 / max(len(self.models), 1)

    @property
    def variance(self) -> float:
        """Prior variance of each weight."""
        return WEIGHT_VARIANCE / max(len(self.models), 1)

    def at(self, points: Array) -> Array:
        """Values of the basis at `points` (``b x k``), shape ``b x s``."""
        columns = [model.mean(points) for model in self.models]
        return np.column_stack(columns) if columns else np.zeros((len(points), 0))

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (``b x s``) and gradients (``b x s x k``) of the basis."""
        found = [model.slopes(points) for model in self.models]
        return (
            np.column_stack([mean for mean, _, _, _ in found]),
            np.stack([slope for _, _, slope, _ in found], axis=1),
        )


NO_TREND = Trend()
