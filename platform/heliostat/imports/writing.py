"""The one writer of imported runs.

Every write has a key made of what is imported and where it goes, so that a repeated import repeats writes
that the log has applied before. A run's creation holds nothing that its source may still change; what may
change is written under keys that name the content too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heliostat import outcome as ends
from heliostat import schema
from heliostat.errors import Conflict, InvalidValue
from heliostat.imports.experiments import Fit, Searches
from heliostat.imports.live import LiveRuns
from heliostat.imports.values import Imported, ImportedRun, ImportResult, Skipped
from heliostat.imports.writes import Target, creation, end_of, later_writes
from heliostat.ports import RunLog
from heliostat.registry import default_project
from heliostat.trial import Failure, State
from heliostat.writes import Write

STILL_OPEN = ("keep", "lost", "skip")
"""What to do with runs that have not ended in their source."""

BATCH_RUNS = 200
BATCH_POINTS = 50_000
"""Runs and curve points that wait together: enough to share commits, few enough for any memory."""


def record(
    log: RunLog,
    found: Iterable[Imported],
    *,
    kind: str,
    project: str | None = None,
    into: int | None = None,
    origin: str | None = None,
    still_open: str = "keep",
    clock: Callable[[], float] = time.time,
) -> ImportResult:
    """Write what a reader found into a log; see :func:`heliostat.imports.import_runs`."""
    schema.choice(still_open, "still_open", STILL_OPEN)
    if into is not None and project is not None:
        rule = "runs that join an experiment go where it is"
        raise InvalidValue("project", rule, given=project, remedy="Give either project or into.")
    recorder = _Recorder(log, kind, project, origin, still_open, Searches(log, kind, into, clock), clock)
    batch: list[ImportedRun] = []
    points = 0
    for item in found:
        if isinstance(item, Skipped):
            recorder.skipped[item.reason] += 1
            continue
        batch.append(item)
        points += len(item.curve)
        if len(batch) >= BATCH_RUNS or points >= BATCH_POINTS:
            recorder.write(batch)
            batch, points = [], 0
    recorder.write(batch)
    return recorder.result()


@dataclass(frozen=True)
class _Planned:
    """A run that is to be written, and where."""

    run: ImportedRun
    target: Target


class _Recorder:
    """Writes batches and counts what became of each run."""

    def __init__(
        self,
        log: RunLog,
        kind: str,
        project: str | None,
        origin: str | None,
        still_open: str,
        searches: Searches,
        clock: Callable[[], float],
    ) -> None:
        self._log = log
        self._kind = kind
        self._project = project
        self._origin = origin
        self._still_open = still_open
        self._searches = searches
        self._clock = clock
        self._before: dict[tuple[int | None, str | None], dict[int, State]] = {}
        self._live: dict[tuple[int | None, str | None], LiveRuns] = {}
        self.skipped: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._runs: list[int] = []

    def result(self) -> ImportResult:
        """What was done so far."""
        return ImportResult(
            added=self._counts["added"],
            finished=self._counts["finished"],
            known=self._counts["known"],
            skipped=dict(self.skipped),
            runs=tuple(self._runs),
            experiments=tuple(self._searches.used),
        )

    def write(self, batch: Sequence[ImportedRun]) -> None:
        """Record a batch: first all creations together, then all that is said of each run."""
        planned = [item for run in batch if (item := self._planned(run)) is not None]
        for item in planned:
            self._look_up(item.target)
        new = [item for item in planned if not self._live[item.target.place].has(item.run)]
        self._counts["known"] += len(planned) - len(new)
        made = [
            (item, self._log.submit(creation(item.run, item.target, self._now(item.run)))) for item in new
        ]
        waiting = []
        for item, future in made:
            try:
                id = future.result().run or 0
            except Conflict:  # it was imported before, under another origin
                self._counts["known"] += 1
                continue
            waiting += [self._log.submit(write) for write in self._writes(item, id)]
        for future in waiting:
            try:
                future.result()
            except Conflict:  # another import of the same source was quicker
                continue
            except InvalidValue as error:
                self.skipped[f"the log refused a part: {error.rule}"] += 1

    def _planned(self, run: ImportedRun) -> _Planned | None:
        if self._origin is not None:
            run = replace(run, origin=self._origin)
        if run.state.is_open and self._still_open == "lost":
            reason = "had not ended in its source when it was imported"
            run = replace(run, state=State.LOST, reason=reason, failure=Failure("lost", reason))
        if run.state.is_open and self._still_open == "skip":
            self.skipped["has not ended yet"] += 1
            return None
        fit = self._searches.fit(run, self._project)
        if fit.refusal:
            self.skipped[fit.refusal] += 1
            return None
        project = self._project or run.project or default_project()
        target = Target(f"{self._kind} {run.key}", project, fit.experiment, frozenset(fit.assignments))
        run = replace(run, params={**run.params, **fit.assignments})
        return _Planned(_judged(run, fit), target)

    def _look_up(self, target: Target) -> None:
        """Remember which runs were there before this import wrote its first one."""
        if target.place not in self._before:
            experiment, project = target.place
            known = self._log.runs(experiment, project=project)
            self._before[target.place] = {run.id: run.state for run in known}
            self._live[target.place] = LiveRuns(known)

    def _writes(self, item: _Planned, id: int) -> list[Write]:
        """What is still to be written about a run, and its place in the counts."""
        before = self._before[item.target.place].get(id)
        is_open = before in (State.ACTIVE, State.LOST) and before is not item.run.state
        if before is None:
            self._before[item.target.place][id] = item.run.state
            self._counts["added"] += 1
            self._runs.append(id)
        elif is_open and not item.run.state.is_open:
            self._counts["finished"] += 1
            self._runs.append(id)
        else:
            self._counts["known"] += 1
            if not item.run.state.is_open or before is not State.ACTIVE:
                return []
        return [
            *later_writes(item.run, item.target, id, self._now(item.run)),
            *end_of(item.run, item.target, id, self._clock()),
        ]

    def _now(self, run: ImportedRun) -> float:
        known: list[Any] = [run.created, run.started, run.ended]
        return next((moment for moment in known if moment is not None), self._clock())


def _judged(run: ImportedRun, fit: Fit) -> ImportedRun:
    """In an experiment of ours, completed means that every steering metric has a usable value."""
    if fit.metrics is None or run.state is not State.COMPLETED:
        return run
    judged = ends.judge(fit.metrics, run.values)
    if judged.state is State.COMPLETED:
        return run
    return replace(run, state=judged.state, reason=judged.reason, failure=judged.failure)
