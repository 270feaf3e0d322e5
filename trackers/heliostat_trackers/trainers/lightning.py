"""Lightning: ``Trainer(logger=HeliostatLogger(run))``."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from heliostat_trackers.trainers.run import RunFeed, TrackedRun, harmless


class HeliostatLogger(Logger):  # type: ignore[misc]  # Lightning's types are not followed
    """Records hyper-parameters, what ``self.log`` logs at its step, and a failure with its error.

    Args:
        run: By default the current one.
    """

    def __init__(self, run: TrackedRun | None = None) -> None:
        super().__init__()
        self._feed = RunFeed(run)

    @property
    def name(self) -> str:
        """Folder of Lightning's checkpoints."""
        return "heliostat"

    @property
    def version(self) -> str:
        """Folder of Lightning's checkpoints, below the name."""
        return f"run_{getattr(self.experiment, 'id', 0)}"

    @property
    @rank_zero_experiment  # type: ignore[untyped-decorator]
    def experiment(self) -> TrackedRun:
        """The run."""
        return self._feed.run

    @rank_zero_only  # type: ignore[untyped-decorator]
    @harmless
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """What ``save_hyperparameters`` saved."""
        values = vars(params) if isinstance(params, Namespace) else dict(params or {})
        self._feed.parameters(values)

    @rank_zero_only  # type: ignore[untyped-decorator]
    @harmless
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """The model that is trained."""
        self._feed.model(type(model).__name__)
        self._feed.fact("weights", sum(item.numel() for item in model.parameters()))

    @rank_zero_only  # type: ignore[untyped-decorator]
    @harmless
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Metrics at a step."""
        values = {name: value for name, value in metrics.items() if name != "epoch"}
        self._feed.point(0 if step is None else step, values)

    @rank_zero_only  # type: ignore[untyped-decorator]
    @harmless
    def save(self) -> None:
        """Write what waits."""
        self._feed.flush()

    @rank_zero_only  # type: ignore[untyped-decorator]
    @harmless
    def finalize(self, status: str) -> None:
        """Training, validation or testing is over."""
        self._feed.finals()
        error = sys.exc_info()[1]
        if status == "failed" and not isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._feed.failure(error)
