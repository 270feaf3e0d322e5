"""Keras 3, on any backend: ``model.fit(…, callbacks=[HeliostatCallback(run)])``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from keras.callbacks import Callback

from heliostat_trackers.trainers.run import RunFeed, TrackedRun, harmless


class HeliostatCallback(Callback):  # type: ignore[misc]  # Keras has no types
    """Records the optimizer's settings, each epoch, and what came out.

    Args:
        run: By default the current one.
        batches: Also record each batch; the steps of the curve are then batches, else epochs (from 1).
    """

    def __init__(self, run: TrackedRun | None = None, *, batches: bool = False) -> None:
        super().__init__()
        self._feed = RunFeed(run)
        self._batches = batches
        self._seen = 0
        self._best: tuple[float, int] | None = None

    @harmless
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Training begins."""
        self._feed.begin()
        self._seen, self._best = 0, None
        self._feed.model(type(self.model).__name__)
        settings = _settings(self.model.optimizer)
        named = {key: value for key, value in settings.items() if key != "name"}
        self._feed.parameters(
            {
                "epochs": self.params.get("epochs"),
                "optimizer": settings.get("name"),
                "loss": _name(self.model.loss),
                **named,
            }
        )

    @harmless
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """A batch is over."""
        self._seen += 1
        if self._batches:
            self._feed.point(self._seen, logs or {})

    @harmless
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """An epoch is over."""
        known = logs or {}
        self._feed.point(self._seen if self._batches else epoch + 1, known)
        loss = known.get("val_loss")
        if loss is not None and (self._best is None or loss < self._best[0]):
            self._best = (loss, epoch + 1)

    @harmless
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Training is over."""
        self._feed.finals()
        if self._best is not None:
            self._feed.fact("best_epoch", self._best[1])
        self._feed.fact("weights", self.model.count_params())


def _settings(optimizer: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks NumPy in a way that NumPy has deprecated
        found: dict[str, Any] = {} if optimizer is None else optimizer.get_config()
    return found


def _name(loss: Any) -> Any:
    return loss if loss is None or isinstance(loss, str) else getattr(loss, "name", type(loss).__name__)
