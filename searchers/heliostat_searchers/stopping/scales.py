"""Scales on which ends of curves are predicted: fine where decisions fall, coarse where all is lost anyway.

A learning curve creeps up to its end, and most of a metric's range is of runs that went wrong. On the scale
of the logarithm of the gap to the best (the linear form of the power laws of Domhan et al. 2015, IJCAI) good
runs are told apart and the errors of a prediction are alike everywhere; a guardrail is read on a scale that
is fine around its threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heliostat.metrics import Metrics

Array = NDArray[np.float64]

SOFT = 0.05
"""Gaps below this share of the usual one are one gap: there curves differ by luck; and log 0 is no number."""

FARTHEST = 50.0
"""Exponentials beyond this are of no metric."""


@dataclass(frozen=True, eq=False)
class Scale:
    """A growing function of one metric's values (more is better).

    Args:
        anchor: The best value ever shown, or a guardrail's threshold.
        unit: The usual distance of a final value from it.
        is_gap: Whether it is the logarithm of the gap; otherwise it is fine on both sides of the anchor.
    """

    anchor: float
    unit: float
    is_gap: bool

    def apply(self, values: Array) -> Array:
        """Values on the scale."""
        if self.is_gap:
            return np.asarray(-np.log(np.maximum(self.anchor - values, 0.0) / self.unit + SOFT))
        return np.asarray(np.arcsinh((values - self.anchor) / self.unit))

    def undo(self, scaled: float) -> float:
        """The value at a place of the scale."""
        place = float(np.clip(scaled, -FARTHEST, FARTHEST))
        if self.is_gap:
            return self.anchor - self.unit * (float(np.exp(-place)) - SOFT)
        return self.anchor + self.unit * float(np.sinh(place))


def scales(metrics: Metrics, finals: Array, shown: Array) -> list[Scale]:
    """One scale for each steering metric.

    Args:
        metrics: The experiment's.
        finals: Where runs ended, ``n x m``.
        shown: Values of the present curve, ``k x m``; may hold NaN.
    """
    found = []
    for column, metric in enumerate(metrics.steering):
        ends, seen = finals[:, column], shown[:, column]
        is_gap = metric.strategy == "optimize"
        anchor = max(ends.max(), np.nanmax(np.append(seen, -np.inf))) if is_gap else 0.0
        if metric.strategy == "constraint":
            anchor = metric.sign * float(metric.threshold or 0.0)
        unit = float(np.median(np.abs(anchor - ends))) or float(np.ptp(ends)) or max(abs(anchor), 1.0)
        found.append(Scale(float(anchor), unit, is_gap))
    return found
