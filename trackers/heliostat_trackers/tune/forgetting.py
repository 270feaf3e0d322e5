"""Trials that Ray Tune need not remember: it keeps each for ever, some 40 kB, though the run log has it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from ray.tune.progress_reporter import TrialProgressCallback

OFTEN = 100
"""Finished trials that are forgotten together."""

_OTHERS = ("_trials", "_trial_metadata", "_trial_to_actor", "_callbacks")
_SETS = ("_stopped_trials", "_failed_trials", "_live_trials", "_trials_to_cache")


class Forgetting:
    """Keeps the driver's memory flat through a sweep of any length.

    Nobody may need the trials in the end: a sweep's result is read from the log, ``Tuner.fit``'s is not.

    Args:
        controller: Ray Tune's; one that is not built as expected keeps its trials.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._is_known = all(hasattr(controller, name) for name in (*_SETS, *_OTHERS))
        self._next = OFTEN

    def look(self) -> None:
        """Forget what has finished, once there is enough of it; between two steps of the controller."""
        if not self._is_known or len(self._controller._trials) < self._next:
            return
        found = self._controller
        busy = found._trial_to_actor
        over = {trial for trial in found._trials if trial.is_finished() and trial not in busy}
        found._trials[:] = [trial for trial in found._trials if trial not in over]
        for name in _SETS:
            getattr(found, name).difference_update(over)
        for trial in over:
            found._trial_metadata.pop(trial.trial_id, None)
        for callback in getattr(found._callbacks, "_callbacks", ()):
            if isinstance(callback, TrialProgressCallback):
                _drop(vars(callback), over)
        self._next = len(found._trials) + OFTEN


def _drop(attributes: Mapping[str, Any], trials: Set[Any]) -> None:
    """Take trials out of the sets and mappings that are kept of them."""
    for kept in attributes.values():
        if isinstance(kept, set):
            kept.difference_update(trials)
        elif isinstance(kept, dict):
            for trial in trials & kept.keys():
                del kept[trial]
