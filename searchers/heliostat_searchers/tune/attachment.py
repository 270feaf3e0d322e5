"""What a search needs of Ray Tune beyond a searcher's hooks: the ends that searchers are not told of.

``time_budget_s``, a stopper's ``stop_all``, ``fail_fast`` and Ctrl-C end trials without a word to the search
algorithm; how a trial failed, and where its scheduler stopped it, it is never told. Callbacks are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray.tune import Callback

from heliostat.engine import Engine
from heliostat.isolation import isolated
from heliostat.registry import TUNE, load

Assigned = Callable[[Mapping[str, Any]], Mapping[str, Any]]

STRICT = "TUNE_DISABLE_STRICT_METRIC_CHECKING"
"""Ray Tune's switch: off, a trial that forgets a metric ends the whole sweep, not itself."""


class Attachment(Callback):  # type: ignore[misc]  # Ray has no types
    """Follows one controller from the first suggestion to its end.

    Args:
        controller: Ray Tune's.
        over: Called when nothing runs any more.
    """

    def __init__(self, controller: Any, over: Callable[[], None]) -> None:
        self._controller, self._over = controller, over
        self._has_switched = STRICT not in os.environ
        os.environ.setdefault(STRICT, "1")

    def record(self, engine: Engine, assigned: Assigned, *, is_running: bool) -> None:
        """Have the experiment record how its trials end.

        Args:
            engine: The experiment's steering.
            assigned: The assignments that a trial's configuration was made of.
            is_running: Whether the controller has set its callbacks up already.
        """
        records = load(TUNE, "callback")(engine, assigned=assigned)
        found = self._controller._callbacks
        found._callbacks = [*found._callbacks, records, self]
        if is_running:
            records.setup()

    def lift(self, *, is_limit_ours: bool) -> None:
        """Let the experiment's budget end the search, and not Ray Tune's count of trials.

        The count takes a retried trial for another one, and after a restore it cannot be raised. One sample,
        Ray Tune's default, is nobody's wish.

        Args:
            is_limit_ours: Whether ``num_samples`` has become the budget, or there is another one.
        """
        search = self._controller.search_alg
        total = getattr(search, "total_samples", None)
        if total is not None and (is_limit_ours or total == 1):
            search._total_samples = sys.maxsize

    @isolated
    def setup(self, *args: Any, **info: Any) -> None:
        """After a restore: what ended the search then may have been raised since."""
        self._controller.search_alg._finished = False

    @isolated
    def on_experiment_end(self, trials: Sequence[Any], **info: Any) -> None:
        """Nothing runs any more."""
        if self._has_switched:
            os.environ.pop(STRICT, None)
        self._over()
