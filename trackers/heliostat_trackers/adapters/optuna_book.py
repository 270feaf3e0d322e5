"""What an Optuna study tells its storage, as verbs of the recorder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from heliostat import outcome as ends
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat_trackers.adapters.outcomes import finished
from heliostat_trackers.adapters.recorder import Recorder

METRIC_NAMES = "study:metric_names"
"""Where Optuna keeps what ``study.set_metric_names`` was given."""


class Book:
    """What was told of one study's trials.

    Args:
        study: Its sampler and pruner may change at any time.
        storage: The storage behind the wrapper.
        recorder: Where to.
        target: Project and experiment as the user named them.
    """

    def __init__(
        self,
        study: Study,
        storage: BaseStorage,
        recorder: Recorder,
        target: tuple[str | None, int | str | None],
    ) -> None:
        self._study = study
        self._storage = storage
        self._target = target
        self.recorder = recorder
        self._keys: dict[int, str] = {}
        self._foreign: set[int] = set()
        self._ended: set[int] = set()
        self._names: list[str] | None = storage.get_study_system_attrs(study._study_id).get(METRIC_NAMES)

    def is_about(self, log: RunLog, project: str | None, experiment: int | str | None) -> bool:
        """Whether this book goes to that log, project and experiment."""
        return (self.recorder.url, *self._target) == (log.url, project, experiment)

    def catch_up(self) -> None:
        """Record the finished trials that were not seen. Running ones are told of by who runs them."""
        with self.recorder.shield():
            for trial in self._storage.get_all_trials(self._study._study_id, deepcopy=False):
                if trial.state.is_finished() and trial._trial_id not in self._ended:
                    self._begin(trial)
                    self._end_as_stored(trial)

    def created(self, study_id: int, trial_id: int) -> None:
        """A trial is there: to be run now, to wait in the queue, or finished elsewhere."""
        if study_id != self._study._study_id:
            self._foreign.add(trial_id)
            return
        trial = self._storage.get_trial(trial_id)
        if trial.state is TrialState.WAITING:
            return
        self._begin(trial)
        if trial.state.is_finished():
            self._end_as_stored(trial)

    def started(self, trial_id: int) -> None:
        """A trial came out of the queue."""
        self._known(trial_id)

    def suggested(self, trial_id: int, name: str, value: Any) -> None:
        """A parameter was suggested."""
        key = self._known(trial_id)
        if key is not None:
            self.recorder.note(key, params={name: value})

    def reported(self, trial_id: int, step: int, value: float) -> None:
        """An intermediate value was reported."""
        key = self._known(trial_id)
        if key is not None:
            self.recorder.point(key, step, {self._metrics()[0]: value})

    def described(self, trial_id: int, name: str, value: Any) -> None:
        """A user attribute was set."""
        key = self._known(trial_id)
        if key is not None:
            self.recorder.note(key, metadata={name: value})

    def named(self, study_id: int, name: str, value: Any) -> None:
        """An attribute of the study was set."""
        if study_id == self._study._study_id and name == METRIC_NAMES:
            self._names = list(value)

    def ended(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None, cause: Outcome | None
    ) -> None:
        """A trial has ended; `cause` is why it failed."""
        key = self._known(trial_id)
        if key is not None:
            self._end(trial_id, key, self._outcome(state, values, cause), time.time())

    def _known(self, trial_id: int) -> str | None:
        """The key of a trial of this study, which is begun if it was not seen before."""
        key = self._keys.get(trial_id)
        if key is not None or trial_id in self._foreign or trial_id in self._ended:
            return key
        trial = self._storage.get_trial(trial_id)
        same = self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, trial.number)
        if same != trial_id:
            self._foreign.add(trial_id)
            return None
        return self._begin(trial)

    def _begin(self, trial: FrozenTrial) -> str:
        # The time is part of it: a new study in the place of a deleted one counts from 0 again.
        began = _seconds(trial.datetime_start or trial.datetime_complete)
        key = self._keys[trial._trial_id] = f"{trial.number}@{began:.6f}"
        facts = {"enqueued": True} if "fixed_params" in trial.system_attrs else {}
        self.recorder.searcher = type(self._study.sampler).__name__
        self.recorder.start(key, number=trial.number, at=began, metadata={**facts, **trial.user_attrs})
        if trial.params:
            self.recorder.note(key, params=trial.params)
        for step, value in trial.intermediate_values.items():
            self.recorder.point(key, step, {self._metrics()[0]: value}, at=began)
        return key

    def _end_as_stored(self, trial: FrozenTrial) -> None:
        key = self._keys[trial._trial_id]
        outcome = self._outcome(trial.state, trial.values, None)
        self._end(trial._trial_id, key, outcome, _seconds(trial.datetime_complete))

    def _end(self, trial_id: int, key: str, outcome: Outcome, at: float) -> None:
        self.recorder.end(key, outcome, at=at)
        self._ended.add(trial_id)
        self._keys.pop(trial_id, None)

    def _outcome(self, state: TrialState, values: Sequence[float] | None, cause: Outcome | None) -> Outcome:
        reported = dict(zip(self._metrics(), values or (), strict=False))
        if state is TrialState.COMPLETE:
            return finished(reported)
        if state is TrialState.PRUNED:
            return ends.stopped(reported, f"pruned by {type(self._study.pruner).__name__}")
        return cause or ends.raised(reported, "user_error", "it failed; Optuna keeps no reason")

    def _metrics(self) -> list[str]:
        """Names of the objectives: the study's own, else the experiment's, else plain ones."""
        count = len(self._study.directions)
        if self._names is not None and len(self._names) == count:
            return self._names
        if self.recorder.spec is not None:
            declared = [metric.name for metric in self.recorder.spec.metrics.objectives]
            if len(declared) == count:
                return declared
        return ["value"] if count == 1 else [f"value_{place}" for place in range(count)]


def _seconds(time_of: datetime | None) -> float:
    return time.time() if time_of is None else time_of.timestamp()
