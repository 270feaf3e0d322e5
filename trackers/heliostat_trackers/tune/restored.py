"""Trials of a restored experiment of Ray Tune, and the runs that they are.

Ray Tune's snapshot is older than the run log: trials that it takes for unfinished may have ended, and trials
that it has never heard of may be open. The log is right. The latter the engine hands out again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from heliostat.engine import Engine
from heliostat.errors import InvalidValue
from heliostat.space import Value
from heliostat.trial import Proposal, Run
from heliostat_trackers.tune.controller import Controller

Assigned = Callable[[Mapping[str, Any]], Mapping[str, Value]]

TRIAL = "tune_trial"
"""Key of a run's metadata under which its trial's id is kept."""


class Restored:
    """Settles once, before anything runs, which run each unfinished trial is.

    Args:
        engine: The experiment's steering, which has read the log.
        controller: Ray Tune's, which has read its snapshot.
        assigned: The assignments that a trial's configuration was made of.
    """

    def __init__(self, engine: Engine, controller: Controller, assigned: Assigned) -> None:
        self._engine, self._controller, self._assigned = engine, controller, assigned

    def settle(self) -> None:
        """Bind trials to their open runs, drop those that have ended, make runs of those tried again."""
        trials = self._controller.unfinished
        runs = {run.id: run for run in self._engine.history.runs} if trials else {}
        by_trial = {run.metadata[TRIAL]: run for run in runs.values() if TRIAL in run.metadata}
        for trial in trials:
            known = by_trial.get(trial.trial_id) or self._never_begun(trial, runs)
            if known is not None and known.state.is_open:
                self._go_on(trial, known)
            elif known is not None and trial.num_failures == 0:
                self._controller.drop(trial, known.numbers)
            else:
                self._try_again(trial, known or self._alike(trial, runs))

    def _go_on(self, trial: Any, run: Run) -> None:
        engine = self._engine
        if run.id in engine.waiting:
            engine.waiting.remove(run.id)
        if trial.checkpoint is None:
            engine.retry(run.id, "its driver was gone")
        engine.trials[trial.trial_id] = run.id

    def _try_again(self, trial: Any, run: Run | None) -> None:
        """A trial whose run has failed is, by the user's wish, another run of the same point."""
        if run is None:
            return
        proposal = Proposal(run.assignments, run.task, f"run {run.number} tried again by Ray Tune")
        self._engine.trials[trial.trial_id] = self._engine.admit([proposal])[0].id

    def _never_begun(self, trial: Any, runs: Mapping[int, Run]) -> Run | None:
        """The open run of a trial that was handed out and not started, so that the log knows no trial."""
        found = (runs[id] for id in self._engine.waiting if id in runs and TRIAL not in runs[id].metadata)
        return next((run for run in found if self._is_of(trial, run)), None)

    def _alike(self, trial: Any, runs: Mapping[int, Run]) -> Run | None:
        """The last run that ended at the point of a trial with a new id."""
        ended = [run for run in runs.values() if not run.state.is_open and self._is_of(trial, run)]
        return ended[-1] if ended else None

    def _is_of(self, trial: Any, run: Run) -> bool:
        """Whether a trial was made of a run's assignments."""
        try:
            return dict(run.assignments) == dict(self._assigned(trial.config))
        except InvalidValue:  # of another space
            return False
