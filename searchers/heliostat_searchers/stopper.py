"""Convergence as a stopper of Ray Tune."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ray.tune import Stopper

from heliostat import Experiment
from heliostat.convergence import Convergence
from heliostat.engine import ConvergenceWatch
from heliostat.isolation import isolated

LOOK = 1.0
"""Seconds between looks at a log that others write: far below the time of a trial, and one small read."""


class ConvergenceStopper(Stopper):  # type: ignore[misc]  # Ray has no types
    """Ends a Ray Tune run when no more is to be won: ``RunConfig(stop=ConvergenceStopper(experiment))``.

    Ray Tune drops the ends of all trials that run when a stopper stops everything: neither searcher nor
    callbacks hear of them. So this one never does that while anything runs. When the search has converged,

    - :class:`heliostat_searchers.tune.HeliostatSearch` hands out nothing new, and Ray Tune ends by itself
      after the last running trial;
    - with `stops_running`, and under any other searcher, each trial is stopped at its next result, one by
      one, the way a scheduler stops it, and is recorded as early-stopped with the verdict as its reason.
      Under another searcher the whole run is then stopped, when no trial is known to run.

    Args:
        experiment: The one that judges; under another searcher, the one that a
            ``RunLogCallback(experiment=…)`` records into.
        stops_running: Whether running trials are stopped too, instead of going on to their ends.
    """

    def __init__(self, experiment: Experiment, *, stops_running: bool = False) -> None:
        self._engine = experiment.engine
        self._watch = ConvergenceWatch(self._engine)
        self._stops_running = stops_running
        self._live: set[str] = set()
        self._looked = time.monotonic()

    @property
    def stops(self) -> Mapping[str, str]:
        """Trial id → why it was stopped."""
        return self._engine.stops

    @property
    def verdict(self) -> Convergence:
        """Whether it has converged, and why."""
        return self._watch.verdict

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Whether a trial is to be stopped at this result."""
        return bool(self._is_stop(trial_id, result))

    def stop_all(self) -> bool:
        """Whether everything is to be stopped: never while a trial is known to run."""
        return bool(self._is_end())

    @isolated
    def _is_stop(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        if result.get("done"):
            self._live.discard(trial_id)
            return False
        if self.verdict.is_converged and (self._stops_running or self._is_foreign):
            self._live.discard(trial_id)
            self._engine.stops[trial_id] = f"early-stopped, since the search has {self.verdict.reason}"
            return True
        self._live.add(trial_id)
        return False

    @isolated
    def _is_end(self) -> bool:
        if not self._is_foreign:
            return False  # the searcher ends the run, when the last trial has ended
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._engine.refresh()
        return self.verdict.is_converged and not self._live

    @property
    def _is_foreign(self) -> bool:
        """Whether the trials are proposed by something else than the experiment."""
        return not self._engine.trials

    def __deepcopy__(self, memo: dict[int, Any]) -> ConvergenceStopper:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _Never, ()  # in Ray Tune's snapshot; a restored run gets a new one


class _Never(Stopper):  # type: ignore[misc]  # Ray has no types
    """Stops nothing."""

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Never."""
        return False
