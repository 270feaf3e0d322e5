"""An Optuna storage behind an ear: it does what it did, and its book hears of it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial, TrialState

from heliostat_trackers.adapters.optuna_book import Book
from heliostat_trackers.adapters.optuna_failures import cause_of_failure


class RecordedStorage(BaseStorage, BaseHeartbeat):  # type: ignore[misc]  # Optuna's types are not followed
    """Another storage, which does all the work; what it was told is written down after it has accepted it.

    Args:
        backend: The storage.
        book: Of the one study that is recorded; others that share the storage pass through.
    """

    def __init__(self, backend: BaseStorage, book: Book) -> None:
        self._backend = backend
        self.book = book

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """A trial to be run now, waiting in the queue, or finished elsewhere."""
        trial_id: int = self._backend.create_new_trial(study_id, template_trial=template_trial)
        with self.book.recorder.shield():
            self.book.created(study_id, trial_id)
        return trial_id

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """A suggested parameter."""
        self._backend.set_trial_param(trial_id, param_name, param_value_internal, distribution)
        with self.book.recorder.shield():
            self.book.suggested(trial_id, param_name, distribution.to_external_repr(param_value_internal))

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """A reported value."""
        self._backend.set_trial_intermediate_value(trial_id, step, intermediate_value)
        with self.book.recorder.shield():
            self.book.reported(trial_id, step, intermediate_value)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """A start out of the queue, or an end."""
        is_changed: bool = self._backend.set_trial_state_values(trial_id, state, values)
        with self.book.recorder.shield():
            if is_changed and state is TrialState.RUNNING:
                self.book.started(trial_id)
            elif is_changed and state.is_finished():
                cause = cause_of_failure() if state is TrialState.FAIL else None
                self.book.ended(trial_id, state, values, cause)
        return is_changed

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """A fact about a trial."""
        self._backend.set_trial_user_attr(trial_id, key, value)
        with self.book.recorder.shield():
            self.book.described(trial_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Optuna's own facts about a study, the names of its metrics among them."""
        self._backend.set_study_system_attr(study_id, key, value)
        with self.book.recorder.shield():
            self.book.named(study_id, key, value)

    def get_heartbeat_interval(self) -> int | None:
        """``None`` where the storage has no heartbeat: then this one has none either."""
        if not isinstance(self._backend, BaseHeartbeat):
            return None
        interval: int | None = self._backend.get_heartbeat_interval()
        return interval

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_backend":  # not there yet while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self._backend, name)


def _passed_on(name: str) -> Callable[..., Any]:
    def call(self: RecordedStorage, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._backend, name)(*args, **kwargs)

    call.__name__ = name
    return call


# Every method of the base classes, those that storages may override included, belongs to the backend.
for _name in {*vars(BaseStorage), *vars(BaseHeartbeat)}:
    _is_method = callable(getattr(BaseStorage, _name, None) or getattr(BaseHeartbeat, _name, None))
    if _is_method and not _name.startswith("__") and _name not in vars(RecordedStorage):
        setattr(RecordedStorage, _name, _passed_on(_name))
abc.update_abstractmethods(RecordedStorage)
