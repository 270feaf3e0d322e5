"""What a result of Ray Tune says about the user's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

AUTOFILLED = frozenset(
    {
        "checkpoint_dir_name", "config", "date", "done", "episodes_total", "experiment_id", "experiment_tag",
        "hostname", "iterations_since_restore", "node_ip", "pid", "should_checkpoint", "time_since_restore",
        "time_this_iter_s", "time_total_s", "timestamp", "timesteps_since_restore", "timesteps_total",
        "training_iteration", "trial_id", "trial_log_path",
    }
)  # fmt: skip
"""Keys that Ray Tune adds to every result: facts about the trial, not measurements of it."""


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The user's own entries of a result, nested ones joined by ``/``, in the order they were reported."""
    return dict(_flat(result, ""))


def _flat(result: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in result.items():
        if not prefix and key.partition("/")[0] in AUTOFILLED:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value
