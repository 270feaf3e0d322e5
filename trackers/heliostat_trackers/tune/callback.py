"""The callback of Ray Tune that records; what it records of depends on who proposes the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ray.tune import Callback

from heliostat.engine import Engine
from heliostat.isolation import isolated
from heliostat.ports import RunLog
from heliostat.registry import default_project, log_url
from heliostat.tune_controller import calling_controller
from heliostat_trackers.tune.controller import Controller
from heliostat_trackers.tune.forgetting import Forgetting
from heliostat_trackers.tune.nodes import Drains
from heliostat_trackers.tune.restored import Assigned
from heliostat_trackers.tune.sweep_trials import SweepTrials
from heliostat_trackers.tune.trials import Trials


class Records(Protocol):
    """What is told of the trials of one Ray Tune experiment."""

    def begin(self, controller: Controller) -> None:
        """Ray Tune is ready."""

    def started(self, trial: Any) -> None:
        """The trial's actor was asked for, for the first time or again."""

    def reported(self, trial: Any, result: Mapping[str, Any]) -> None:
        """A result came in."""

    def recovering(self, trial: Any) -> None:
        """An attempt failed and Ray Tune will try once more."""

    def completed(self, trial: Any) -> None:
        """The code finished, or somebody stopped it."""

    def errored(self, trial: Any) -> None:
        """The code raised, or its process died, for the last time."""

    def over(self, trials: Sequence[Any]) -> None:
        """Nothing runs any more."""


class RunLogCallback(Callback):  # type: ignore[misc]  # Ray has no types
    """Records how each trial of Ray Tune starts, reports and ends, whatever proposes it.

    Pass it as ``RunConfig(callbacks=[RunLogCallback()])``, or change no code and set
    ``RAY_TUNE_CALLBACKS=heliostat_trackers.tune.RunLogCallback``. Hooks only queue writes, so Ray Tune's
    thread never waits for a disk, and never raise.

    Trials that :class:`heliostat_searchers.tune.HeliostatSearch` hands out are runs already and are left to
    it; ``heliostat.sweep`` gives the first argument, and its trials get their curves and ends here.

    Args:
        engine: An experiment's steering, for its own sweep.
        assigned: With it: the assignments that a trial's configuration was made of, if they are not the same.
        keeps_trials: With it: whether Ray Tune shall remember finished trials, for ``Tuner.fit``'s result.
        time_limit: With it: seconds that an attempt of a run may take.
        step: What counts a trial's steps, a whole number that it reports; by default Ray Tune's own count.
        log: Where to; by default this folder's log.
        project: The runs' project, by default this folder's.
        experiment: An experiment that takes the runs whose parameters and metrics fit it.
        name: What the search is called, by default as its folder.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        assigned: Assigned = dict,
        keeps_trials: bool = True,
        time_limit: float | None = None,
        step: str | None = None,
        log: RunLog | str | Path | None = None,
        project: str | None = None,
        experiment: int | str | None = None,
        name: str | None = None,
    ) -> None:
        url = _address(log_url(log)) if log is None or isinstance(log, (str, Path)) else log.url
        options: dict[str, Any] = {"log": url, "project": project or default_project()}
        self._options = {**options, "experiment": experiment, "name": name, "step": step}
        self._is_for_a_sweep = engine is not None
        self._keeps_trials, self._forgetting = keeps_trials, Forgetting(None)
        self._drains = Drains()
        self._records: Records
        if engine is None:
            self._records = Trials(**self._options, drains=self._drains)
        else:
            self._records = SweepTrials(engine, self._drains, step, time_limit, assigned)

    @isolated
    def setup(self, *args: Any, **info: Any) -> None:
        """Find out who proposes and who stops."""
        if not self._keeps_trials:
            self._forgetting = Forgetting(calling_controller())
        self._records.begin(Controller.calling())

    @isolated
    def on_step_begin(self, iteration: int, trials: Sequence[Any], **info: Any) -> None:
        """Once a second, see which machines are about to be taken back."""
        self._drains.look()

    @isolated
    def on_step_end(self, iteration: int, trials: Sequence[Any], **info: Any) -> None:
        """Nothing happens at the moment."""
        self._forgetting.look()

    @isolated
    def on_trial_start(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """The trial's actor was asked for."""
        self._records.started(trial)

    @isolated
    def on_trial_result(
        self, iteration: int, trials: Sequence[Any], trial: Any, result: Mapping[str, Any], **info: Any
    ) -> None:
        """A point of the training curve; the last value of each metric also counts at the end."""
        self._records.reported(trial, result)

    @isolated
    def on_trial_recover(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """An attempt failed; the next one is another attempt of the same run."""
        self._records.recovering(trial)

    @isolated
    def on_trial_complete(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """The code finished, or a scheduler stopped it."""
        self._records.completed(trial)

    @isolated
    def on_trial_error(self, iteration: int, trials: Sequence[Any], trial: Any, **info: Any) -> None:
        """The code raised, or its process died."""
        self._records.errored(trial)

    @isolated
    def on_experiment_end(self, trials: Sequence[Any], **info: Any) -> None:
        """Whatever is still open was broken off: by Ctrl-C, a time budget or a stopper."""
        self._records.over(trials)

    def get_state(self) -> dict[str, Any] | None:
        """What Ray Tune keeps for its own restore."""
        return self._records.ends if isinstance(self._records, Trials) else None

    @isolated
    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with an experiment that was restored: the same trials are the same runs."""
        if isinstance(self._records, Trials):
            self._records.ends = dict(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> RunLogCallback:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._is_for_a_sweep:  # it comes back from the run log instead
            return Callback, ()
        return partial(RunLogCallback, **self._options), ()


def _address(url: str) -> str:
    """The URL without a password: Ray Tune writes callbacks into the experiment's folder."""
    if not url.startswith("postgresql"):
        return url
    from heliostat_trackers.postgres import PostgresDatabase

    return PostgresDatabase(url).url  # which this process remembers the password of
