"""Trials of Heliostat's own sweeps: they are runs of an experiment before Ray Tune knows them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat import outcome as ends
from heliostat.engine import ATTEMPTS, Engine
from heliostat.errors import Conflict
from heliostat.trial import State
from heliostat.tune_results import metrics_of
from heliostat_trackers.tune.controller import Controller
from heliostat_trackers.tune.failures import failure_of

logger = logging.getLogger(__name__)


class SweepTrials:
    """Gives each run its curve and its one end, with the reason, through the experiment's engine.

    Args:
        engine: The experiment's steering.
        stops: Trial id → reason of the trials that a scheduler stopped.
    """

    def __init__(self, engine: Engine, stops: Mapping[str, str]) -> None:
        self._engine = engine
        self._stops = stops

    def begin(self, controller: Controller) -> None:
        """Nothing: the engine proposes, and its scheduler notes its stops."""

    def started(self, trial: Any) -> None:
        """The trial's actor was asked for."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None:
            self._engine.start(run, {"tune_trial": trial.trial_id, "driver": socket.gethostname()})

    def reported(self, trial: Any, result: Mapping[str, Any]) -> None:
        """A point of the training curve."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None:
            self._engine.observe(run, metrics_of(result), step=result.get("training_iteration"))

    def recovering(self, trial: Any) -> None:
        """Nothing: sweeps leave retries to the engine."""

    def completed(self, trial: Any) -> None:
        """The code finished, or a scheduler stopped it."""
        run = self._engine.trials.pop(trial.trial_id, None)
        if run is None:
            return
        reported = self._engine.reported(run)
        reason = self._stops.get(trial.trial_id)
        if reason is not None:
            self._engine.finish(run, ends.stopped(reported, reason))
        else:
            self._engine.finish(run, ends.judge(self._engine.spec.metrics, reported))

    def errored(self, trial: Any) -> None:
        """The code raised, or its process died: then the run waits for another attempt, if any is left."""
        run = self._engine.trials.pop(trial.trial_id, None)
        if run is None:
            return
        end = failure_of(trial, self._engine.reported(run))
        if end.state is State.LOST and self._engine.lose(run, end.reason):
            return
        if end.state is State.LOST:
            end = ends.raised(end.values, "worker_died", f"{end.reason} ({ATTEMPTS} times)")
        self._engine.finish(run, end)

    def over(self, trials: Sequence[Any]) -> None:
        """Whatever is still open was broken off."""
        for trial_id, run in list(self._engine.trials.items()):
            self._engine.trials.pop(trial_id)
            try:
                left = ends.cancelled(self._engine.reported(run), "the sweep ended during the run")
                self._engine.finish(run, left)
            except Conflict:  # it ended by another door in the meantime, which is as good
                logger.debug("run %d had ended already", run)
