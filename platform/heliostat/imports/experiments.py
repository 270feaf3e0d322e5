"""Where imported runs belong: an experiment of ours, one that comes with them, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from heliostat.errors import Conflict, InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.imports.values import ImportedExperiment, ImportedRun
from heliostat.imports.writes import MARK
from heliostat.metrics import Metrics
from heliostat.ports import RunLog
from heliostat.registry import default_project
from heliostat.space import Value
from heliostat.writes import ChangeExperiment, CreateExperiment


@dataclass(frozen=True)
class Fit:
    """How a run stands to an experiment.

    Args:
        experiment: Its id, or none.
        assignments: The run's values of the experiment's parameters, in their declared types.
        metrics: What it measures.
        refusal: Why the run cannot join it; empty if it can.
    """

    experiment: int | None = None
    assignments: Mapping[str, Value] = field(default_factory=dict)
    metrics: Metrics | None = None
    refusal: str = ""


class Searches:
    """The experiments that one import writes into.

    Args:
        log: Where they are.
        kind: Of the import.
        into: The one experiment that all runs join, if the user named one.
        clock: Seconds since the epoch.

    Raises:
        NotFound: There is no such experiment.
    """

    def __init__(self, log: RunLog, kind: str, into: int | None, clock: Callable[[], float]) -> None:
        self._log = log
        self._kind = kind
        self._clock = clock
        self._specs: dict[int, ExperimentSpec] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._into = into
        if into is not None:
            self._specs[into] = log.experiment(into).spec

    @property
    def used(self) -> list[int]:
        """Ids of the experiments so far."""
        return list(self._specs)

    def fit(self, run: ImportedRun, project: str | None) -> Fit:
        """Where a run goes, or why it cannot."""
        id = self._into
        if id is None and run.experiment is not None:
            id = self._settled(run.experiment, project or run.project or default_project())
        if id is None:
            return Fit()
        spec = self._specs[id]
        if run.state.is_open:
            # A searcher's driver would take it for one of its own that was lost, and run it again.
            return Fit(refusal="has not ended yet, and an experiment takes ended runs only")
        own = {name: value for name, value in run.params.items() if name in spec.space.by_name}
        try:
            return Fit(id, spec.space.check(own, in_bounds=False), spec.metrics)
        except InvalidValue as error:
            return Fit(refusal=f"does not fit experiment {id}: {error.rule}")

    def _settled(self, found: ImportedExperiment, project: str) -> int:
        """The id of an experiment that came with its runs; it is made when its first run comes."""
        place = (found.key, project)
        if place not in self._ids:
            mark = f"{self._kind} {found.key}"
            known = self._with_mark(mark, project)
            self._ids[place] = self._created(found, mark, project) if known is None else known
            self._specs[self._ids[place]] = found.spec
        return self._ids[place]

    def _with_mark(self, mark: str, project: str) -> int | None:
        records = self._log.experiments(project)
        return next((item.id for item in records if item.spec.metadata.get(MARK) == mark), None)

    def _created(self, found: ImportedExperiment, mark: str, project: str) -> int:
        spec = replace(found.spec, project=project, metadata={**found.spec.metadata, MARK: mark})
        moment = self._clock() if found.created is None else found.created
        try:
            reply = self._log.apply(
                CreateExperiment(spec.to_dict(), time=moment, key=f"import-{mark}-{project}")
            )
        except Conflict:  # another import has just made it from a later state of the source
            return self._with_mark(mark, project) or 0
        id = reply.experiment or 0
        if found.archived:
            self._log.apply(
                ChangeExperiment(id, time=moment, archived=True, key=f"import-{mark}-{project}-archived")
            )
        return id
