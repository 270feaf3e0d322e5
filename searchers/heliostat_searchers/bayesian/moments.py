"""A BoTorch model whose inputs are its own posterior moments; imports PyTorch, so import it late.

With it any of BoTorch's Monte-Carlo acquisition functions becomes a differentiable function of means and
standard deviations, whatever model those come from.
"""

from __future__ import annotations

from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors.posterior import Posterior
from torch import Tensor


class MomentsPosterior(Posterior):  # type: ignore[misc]
    """Independent normals.

    Args:
        mean: ``b x q x m``.
        stddev: ``b x q x m``.
    """

    def __init__(self, mean: Tensor, stddev: Tensor) -> None:
        self.mean = mean
        self.stddev = stddev

    @property
    def device(self) -> torch.device:
        """Where the moments lie."""
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        """Their number type."""
        return self.mean.dtype

    @property
    def base_sample_shape(self) -> torch.Size:
        """One standard normal per number."""
        return self.mean.shape

    @property
    def batch_range(self) -> tuple[int, int]:
        """All but the last two axes share their base samples."""
        return (0, -2)

    def _extended_shape(self, sample_shape: torch.Size = torch.Size()) -> torch.Size:  # noqa: B008
        return sample_shape + self.mean.shape

    def rsample(self, sample_shape: torch.Size | None = None) -> Tensor:
        """Samples of shape ``sample_shape x b x q x m``."""
        shape = self._extended_shape(sample_shape or torch.Size())
        return self.rsample_from_base_samples(
            sample_shape or torch.Size(), torch.randn(shape, dtype=self.dtype)
        )

    def rsample_from_base_samples(self, sample_shape: torch.Size, base_samples: Tensor) -> Tensor:
        """``mean + stddev · base``."""
        return self.mean + self.stddev * base_samples


class MomentsModel(Model):  # type: ignore[misc]
    """A model of `m` outcomes over points ``(means, standard deviations)`` of shape ``b x q x 2m``.

    Args:
        m: Number of outcomes.
    """

    def __init__(self, m: int) -> None:
        super().__init__()
        self.m = m

    @property
    def num_outputs(self) -> int:
        """Number of outcomes."""
        return self.m

    @property
    def batch_shape(self) -> torch.Size:
        """One model."""
        return torch.Size()

    def posterior(self, X: Tensor, *_: Any, **__: Any) -> MomentsPosterior:
        """The moments themselves."""
        return MomentsPosterior(X[..., : self.m], X[..., self.m :])
