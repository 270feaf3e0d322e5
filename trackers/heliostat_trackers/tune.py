"""Ray Tune's trials into the run log, as they happen."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray.tune import Callback

from heliostat import outcome as ends
from heliostat.engine import ATTEMPTS, Engine
from heliostat.errors import Conflict
from heliostat.isolation import isolated
from heliostat.trial import State
from heliostat.tune_results import metrics_of

logger = logging.getLogger(__name__)


class RunLogCallback(Callback):  # type: ignore[misc]  # Ray has no types
    """Records how each trial of an experiment starts, reports and ends.

    Every trial that :class:`heliostat_searchers.tune.HeliostatSearch` handed out is a run already; this
    callback gives it its curve and its one end, with the reason. Hooks only queue writes, so Ray Tune's
    thread never waits for a disk.

    Args:
        engine: The experiment's steering.
        stops: Trial id → reason of the trials that a scheduler stopped.
    """

    def __init__(self, engine: Engine, stops: Mapping[str, str]) -> None:
        self._engine = engine
        self._stops = stops

    @isolated
    def on_trial_start(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """The trial's actor was asked for."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None:
            self._engine.start(run, {"tune_trial": trial.trial_id, "driver": socket.gethostname()})

    @isolated
    def on_trial_result(
        self, iteration: int, trials: Sequence[Any], trial: Any, result: Mapping[str, Any], **info: Any
    ) -> None:
        """A point of the training curve; the last value of each metric also counts at the end."""
        run = self._engine.trials.get(trial.trial_id)
        if run is not None:
            self._engine.observe(run, metrics_of(result), step=result.get("training_iteration"))

    @isolated
    def on_trial_complete(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
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

    @isolated
    def on_trial_error(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """The code raised, or its process died."""
        run = self._engine.trials.pop(trial.trial_id, None)
        if run is None:
            return
        end = failure_of(trial, self._engine.reported(run))
        if end.state is State.LOST and self._engine.lose(run, end.reason):
            return
        if end.state is State.LOST:
            end = ends.raised(end.values, "worker_died", f"{end.reason} ({ATTEMPTS} times)")
        self._engine.finish(run, end)

    @isolated
    def on_experiment_end(self, trials: Sequence[Any], **info: Any) -> None:
        """Whatever is still open was broken off: by Ctrl-C, a time budget or a stopper."""
        for trial_id, run in list(self._engine.trials.items()):
            self._engine.trials.pop(trial_id)
            try:
                left = ends.cancelled(self._engine.reported(run), "the sweep ended during the run")
                self._engine.finish(run, left)
            except Conflict:  # it ended by another door in the meantime, which is as good
                logger.debug("run %d had ended already", run)

    def __deepcopy__(self, memo: dict[int, Any]) -> RunLogCallback:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray Tune pickles callbacks for its own restore; ours come back from the run log instead.
        return Callback, ()


def failure_of(trial: Any, reported: Mapping[str, Any]) -> ends.Outcome:
    """The end of a trial that Ray Tune calls an error: the user's failure, or a lost worker."""
    from ray.exceptions import RayActorError, RaySystemError

    error = _error_of(trial)
    cause = getattr(error, "cause", None) or error
    if isinstance(error, (RayActorError, RaySystemError)):
        return ends.lost(reported, f"the worker died: {str(error).strip().splitlines()[0]}")
    text = str(error) if error is not None else ""
    message = f"{type(cause).__name__}: {cause}" if cause is not None else "the trial failed without an error"
    return ends.raised(reported, "user_error", message.splitlines()[0][:500], text)


def _error_of(trial: Any) -> Exception | None:
    """The exception that Ray Tune has just written beside the trial (its copy in the storage comes later)."""
    from ray import cloudpickle

    path = trial.pickled_error_file
    if path is None or not Path(path).exists():
        return None
    try:
        error: Exception = cloudpickle.loads(Path(path).read_bytes())
    except Exception as unreadable:
        logger.warning("the trial's exception cannot be rebuilt here: %s", unreadable)
        return RuntimeError(Path(trial.error_file).read_text(encoding="utf-8"))
    return error
