"""Hugging Face Transformers: ``Trainer(…, callbacks=[HeliostatCallback(run)])``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from heliostat_trackers.trainers.run import RunFeed, TrackedRun, harmless

ALWAYS = (
    "gradient_accumulation_steps", "learning_rate", "lr_scheduler_type", "num_train_epochs", "optim",
    "per_device_train_batch_size", "seed", "warmup_steps", "weight_decay",
)  # fmt: skip
NEVER = (
    "accelerator_config", "dataloader_pin_memory", "debug", "disable_tqdm", "do_eval", "do_train",
    "eval_strategy", "hub_token", "logging_dir", "logging_steps", "logging_strategy", "output_dir",
    "push_to_hub_token", "report_to", "run_name", "save_steps", "save_strategy", "use_cpu",
)  # fmt: skip

_NO_RESULTS = ("epoch", "total_flos")
_SPEEDS = ("_per_second", "_runtime")
_MEANS = ("grad_norm", "learning_rate")
"""Of the curve, but not of what came out."""


class HeliostatCallback(TrainerCallback):  # type: ignore[misc]  # Transformers' types are not followed
    """Records the training arguments that matter, what the trainer logs at its step, and what came out.

    Of the arguments, the main ones and those that differ from their defaults become parameters.

    Args:
        run: By default the current one.
    """

    def __init__(self, run: TrackedRun | None = None) -> None:
        self._feed = RunFeed(run)

    @harmless
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Training begins."""
        if not state.is_world_process_zero:
            return
        self._feed.begin()
        self._feed.parameters(chosen_arguments(args))
        model = kwargs.get("model")
        if model is not None:
            self._feed.model(type(model).__name__)
            self._feed.fact("weights", sum(item.numel() for item in model.parameters()))

    @harmless
    def on_log(
        self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """The trainer logs."""
        if state.is_world_process_zero:
            values = {
                name: value
                for name, value in (logs or {}).items()
                if name not in _NO_RESULTS and not name.endswith(_SPEEDS)
            }
            self._feed.point(state.global_step, values)

    @harmless
    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """An evaluation is over; it may be one after training."""
        if state.is_world_process_zero:
            self._finish()

    @harmless
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Training is over."""
        if not state.is_world_process_zero:
            return
        self._finish()
        if state.best_metric is not None:
            self._feed.fact("best_metric", state.best_metric)
        if getattr(state, "best_global_step", None):
            self._feed.fact("best_step", state.best_global_step)

    def _finish(self) -> None:
        self._feed.finals({name: value for name, value in self._feed.latest.items() if name not in _MEANS})


def chosen_arguments(args: Any) -> dict[str, Any]:
    """The main training arguments, and those that are not at their defaults."""
    given = args.to_dict()
    found = {}
    for field in dataclasses.fields(args):
        value = given.get(field.name)
        is_default = field.default is dataclasses.MISSING or value == field.default
        is_unset = field.default is None and not value  # made definite by the arguments themselves
        if field.name in ALWAYS or not (is_default or is_unset or field.name in NEVER):
            found[field.name] = value
    return found
