"""Several objectives: fronts, the reference point, and BoTorch's hypervolume improvement as a term.

The front is that of the posterior means at feasible known points ("plug-in"), which costs 0.01 s where
sampling it costs 0.1 to 1.5 s. BoTorch's acquisition function never sees a GP: it is
asked as a function of the posterior moments, whose gradient PyTorch gives and our chain rule continues.
Guardrails are separate terms: with independent models ``log E[HVI · 1(feasible)] = log E[HVI] + Σ log Φ``.
Letters: ``n`` points, ``m`` objectives, ``b`` points asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heliostat_searchers.quiet import compile_nothing, quiet

if TYPE_CHECKING:
    from heliostat_searchers.bayesian.acquisition import Worth

Array = NDArray[np.float64]

SAMPLES = 64
"""Draws of the quasi-Monte-Carlo estimate; few enough for 0.2 s a suggestion."""

MARGIN = 0.1
"""How far the reference point lies behind the worst feasible value, as a share of the values' extent
(Ishibuchi et al. 2018, *How to specify a reference point*)."""

HYPERVOLUME_OBJECTIVES = 4
"""Most objectives for which hypervolume is used; its cost grows exponentially with them."""

CHUNK = 128
"""Points asked about at once, so that samples x cells x points stay in the processor's cache."""


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
    """``log E[HV(front ∪ y) - HV(front)]``, smoothed as BoTorch does (Daulton et al. 2020).

    Args:
        front: Values of feasible known points, ``n x m``, standardised.
        reference: The reference point, ``m``.
    """

    def __init__(self, front: Array, reference: Array) -> None:
        self.m = len(reference)
        self._improvement = _improvement(front, reference)

    def __call__(self, mean: Array, stddev: Array) -> Worth:
        """See :class:`.acquisition.Term`; the objectives are the first `m` models."""
        import torch

        moments = np.concatenate([mean[:, : self.m], stddev[:, : self.m]], axis=1)
        values, slopes = np.zeros(len(mean)), np.zeros_like(moments)
        for start in range(0, len(mean), CHUNK):
            part = slice(start, start + CHUNK)
            asked = torch.as_tensor(moments[part]).unsqueeze(1).requires_grad_()
            worth = self._improvement(asked)
            values[part] = worth.detach().numpy()
            slopes[part] = torch.autograd.grad(worth.sum(), asked)[0].squeeze(1).numpy()
        by_mean, by_stddev = np.zeros_like(mean), np.zeros_like(stddev)
        by_mean[:, : self.m], by_stddev[:, : self.m] = slopes[:, : self.m], slopes[:, self.m :]
        return values, by_mean, by_stddev


def _improvement(front: Array, reference: Array) -> Callable[[Any], Any]:
    """BoTorch's function of the moments: ``b x 1 x 2m → b``."""
    import torch

    with quiet():
        from botorch.acquisition.multi_objective import logei
        from botorch.sampling.normal import SobolQMCNormalSampler
        from botorch.utils.multi_objective.box_decompositions.non_dominated import (
            FastNondominatedPartitioning,
        )

        from heliostat_searchers.bayesian.moments import MomentsModel

    compile_nothing()
    point = torch.as_tensor(reference)
    return logei.qLogExpectedHypervolumeImprovement(  # type: ignore[no-any-return]
        model=MomentsModel(len(reference)),
        ref_point=point,
        partitioning=FastNondominatedPartitioning(point, torch.as_tensor(front)),
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=0),
    )
