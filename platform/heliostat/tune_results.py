"""What a result of Ray Tune says about the user's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FACTS = "heliostat"
"""Key under which our wrapper in the worker tells of the process; not a measurement of the user's."""

AUTOFILLED = frozenset(
    {
        FACTS,
        "checkpoint_dir_name", "config", "date", "done", "episodes_total", "experiment_id", "experiment_tag",
        "hostname", "iterations_since_restore", "node_ip", "pid", "should_checkpoint", "time_since_restore",
        "time_this_iter_s", "time_total_s", "timestamp", "timesteps_since_restore", "timesteps_total",
        "training_iteration", "trial_id", "trial_log_path",
    }
)  # fmt: skip
"""Keys that Ray Tune adds to every result: facts about the trial, not measurements of it."""


STEP = "training_iteration"
"""Ray Tune's own count of the results of a trial; it goes on after a resumption from a checkpoint."""


def step_of(result: Mapping[str, Any], name: str | None = None) -> int | None:
    """The step of a result: what the trial reports under `name`, if it is a whole number, else Tune's count.

    A trial that resumes itself, from a file that Ray Tune does not know, is counted from 1 again by Ray Tune;
    only the trial can tell where it really is.
    """
    for source in (name, STEP):
        value = result.get(source) if source else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value):
            return int(value)
    return None


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """The user's own entries of a result, nested ones joined by ``/``, in the order they were reported."""
    return dict(_flat(result, ""))


def facts_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What our wrapper in the worker tells with a result; empty without it, or if nothing is new."""
    found = result.get(FACTS)
    return dict(found) if isinstance(found, Mapping) else {}


def _flat(result: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in result.items():
        if not prefix and key.partition("/")[0] in AUTOFILLED:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value
