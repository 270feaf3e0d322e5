"""Trials that anything else proposes to Ray Tune: each becomes a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heliostat import outcome as ends
from heliostat.registry import shared_log
from heliostat.tune_results import metrics_of, step_of
from heliostat_trackers.adapters.outcomes import finished
from heliostat_trackers.adapters.recorder import Recorder
from heliostat_trackers.adapters.values import plain_params
from heliostat_trackers.tune.controller import Controller
from heliostat_trackers.tune.failures import failure_of
from heliostat_trackers.tune.forgotten import end_forgotten
from heliostat_trackers.tune.nodes import Drains

OURS = "HeliostatSearch"


@dataclass
class _Open:
    """A trial that has not ended."""

    key: str
    config: Any
    reported: dict[str, Any] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)


class Trials:
    """The trials of one Ray Tune experiment, by its folder and their ids: a restored one goes on.

    Args:
        log: URL of the log.
        project: The runs' project.
        experiment: An experiment that takes the runs which fit it.
        name: What the search is called, by default as its folder.
        step: What counts a trial's steps, if not Ray Tune does.
        drains: The machines that are about to be taken back.

    Attributes:
        ends: Trial id → how often it has ended; one that is resumed after its end is another run.
    """

    def __init__(
        self,
        *,
        log: str,
        project: str,
        experiment: int | str | None = None,
        name: str | None = None,
        step: str | None = None,
        drains: Drains | None = None,
    ) -> None:
        self._drains = drains
        self._log, self._project, self._experiment, self._name = log, project, experiment, name
        self._step = step
        self._controller = Controller()
        self._recorder: Recorder | None = None
        self._is_off = False
        self._open: dict[str, _Open] = {}
        self.ends: dict[str, int] = {}

    def begin(self, controller: Controller) -> None:
        """Ray Tune is ready."""
        self._controller = controller
        self._is_off = controller.searcher == OURS  # which makes its trials runs by itself
        self._recorder = None
        if not self._is_off:
            controller.watch()

    def started(self, trial: Any) -> None:
        """The trial's actor was asked for, for the first time or again."""
        recorder = self._recorder_for(trial)
        if recorder is None:
            return
        known = self._open.get(trial.trial_id)
        if known is None:
            again = self.ends.get(trial.trial_id, 0)
            key = f"{trial.trial_id}.{again}" if again else trial.trial_id
            known = self._open[trial.trial_id] = _Open(key, trial.config)
            facts = {"folder": recorder.identity}
            if self._controller.scheduler:
                facts["scheduler"] = self._controller.scheduler
            recorder.start(key, trial.config, number=trial.trial_id, metadata=facts)
        else:
            recorder.start(known.key, trial.config)
            self._note_change(recorder, trial, known)

    def reported(self, trial: Any, result: Mapping[str, Any]) -> None:
        """A point of the training curve; the last value of each metric also counts at the end."""
        recorder, known = self._recorder, self._open.get(trial.trial_id)
        if recorder is None or known is None:
            return
        self._note_change(recorder, trial, known)
        values = metrics_of(result)
        known.reported.update(values)
        recorder.point(known.key, step_of(result, self._step) or 0, values)

    def recovering(self, trial: Any) -> None:
        """An attempt failed and Ray Tune will try once more."""
        recorder, known = self._recorder, self._open.get(trial.trial_id)
        if recorder is not None and known is not None:
            recorder.retry(known.key, failure_of(trial, {}, self._drains).reason)
            known.reported.clear()

    def completed(self, trial: Any) -> None:
        """The code finished, or somebody stopped it: a scheduler, or Ray Tune as the user's budget ended."""
        known = self._open.get(trial.trial_id)
        if known is None:
            return
        last = trial.last_result or {}
        reported = {**metrics_of(last), **known.reported}
        step = self._controller.stops.get(trial.trial_id)
        why = self._controller.reason(trial.trial_id)
        if why is not None:
            self._end(trial, ends.stopped(reported, why))
        elif step is None and last.get("done", True):
            self._end(trial, finished(reported, self._controller.objectives))
        else:
            step = last.get("training_iteration", 0) if step is None else step
            who = self._controller.scheduler or "Ray Tune"
            self._end(trial, ends.stopped(reported, f"stopped by {who} at iteration {step}"))

    def errored(self, trial: Any) -> None:
        """The code raised, or its process died, for the last time."""
        if trial.trial_id not in self._open:
            self.started(trial)  # it failed while its actor was made, of which Ray Tune does not tell
        known = self._open.get(trial.trial_id)
        if known is not None:
            self._end(trial, failure_of(trial, known.reported, self._drains))

    def over(self, trials: Sequence[Any]) -> None:
        """Nothing runs any more: what is open was broken off by Ctrl-C, a time budget or a stopper."""
        self._controller.leave()
        recorder = self._recorder_for(trials[0]) if trials else self._recorder
        for known in self._open.values():
            if recorder is not None:
                recorder.end(known.key, ends.cancelled(known.reported, "the search ended during the trial"))
        self._open.clear()
        if recorder is not None:
            recorder.flush()
            with recorder.shield():
                end_forgotten(shared_log(recorder.url), recorder.identity, recorder.project)

    def _end(self, trial: Any, outcome: ends.Outcome) -> None:
        known = self._open.pop(trial.trial_id)
        self.ends[trial.trial_id] = self.ends.get(trial.trial_id, 0) + 1
        if self._recorder is not None:
            self._recorder.end(known.key, outcome)

    def _note_change(self, recorder: Recorder, trial: Any, known: _Open) -> None:
        """Population based training gives running trials new parameters."""
        if trial.config is known.config:
            return
        before, after = plain_params(known.config), plain_params(trial.config)
        known.config = trial.config
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        if changed:
            step = (trial.last_result or {}).get("training_iteration", 0)
            known.changes.append({"step": step, **changed})
            recorder.note(known.key, params=changed, metadata={"changes": list(known.changes)})

    def _recorder_for(self, trial: Any) -> Recorder | None:
        if self._recorder is None and not self._is_off:
            self._is_off = True  # tried once; a log that cannot be opened is one warning
            folder = str(trial.storage.experiment_fs_path)
            self._recorder = Recorder(
                shared_log(self._log),
                origin=self._controller.origin,
                study=self._name or str(trial.storage.experiment_dir_name),
                identity=folder,
                searcher=self._controller.searcher,
                project=self._project,
                experiment=self._experiment,
                is_private=False,
            )
        return self._recorder
