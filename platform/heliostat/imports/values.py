"""What a reader gives and what an import comes to, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heliostat.experiment import ExperimentSpec
from heliostat.trial import Checkpoint, Failure, Measurement, State


@dataclass(frozen=True)
class ImportedExperiment:
    """A declared search that runs of a source belong to.

    Args:
        key: Its identity in the source.
        spec: Its declaration.
        created: Seconds since the epoch, if known.
        archived: Hidden from lists.
    """

    key: str
    spec: ExperimentSpec
    created: float | None = None
    archived: bool = False


@dataclass(frozen=True)
class ImportedRun:
    """One run as its source knows it.

    Args:
        key: Its identity in the source: the same run has the same key whenever it is read, and no other run
            has it.
        params: What it was given; anything that is no number or text is written as text.
        values: Metric values, with standard errors where known.
        curve: Points of its training curve.
        state: Where it is in its life; an open one may be read again when it has ended.
        reason: Why it ended.
        failure: What went wrong, if something did.
        created: Seconds since the epoch, if known.
        started: When its code began, if known.
        ended: When it ended, if known.
        name: For people.
        origin: Who proposed it.
        project: Where its source kept it; used unless the user names a project.
        experiment: The search that it belongs to.
        task: Task of that experiment.
        user: Who ran it.
        metadata: Facts.
        dev_metadata: Facts that tables hide.
        sys_metadata: Facts that Heliostat itself reads.
        parameter_sources: Parameter → name of the group it was set by.
        datasets: Name → facts.
        tags: Names.
        model: Type of the model.
        source_hash: Version of the code.
        note: Markdown.
        favorite: Starred.
        archived: Hidden.
        texts: Stream → text (``stdout``, ``source``, …).
        read_curve: Reads the curve, in place of `curve`, where that costs a question to a server: called only
            for runs whose end is not in the log yet.
    """

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Measurement] = field(default_factory=dict)
    curve: Sequence[Checkpoint] = ()
    state: State = State.COMPLETED
    reason: str = ""
    failure: Failure | None = None
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    name: str = ""
    origin: str = "user"
    project: str = ""
    experiment: ImportedExperiment | None = None
    task: str | None = None
    user: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    dev_metadata: Mapping[str, Any] = field(default_factory=dict)
    sys_metadata: Mapping[str, Any] = field(default_factory=dict)
    parameter_sources: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tags: Sequence[str] = ()
    model: str | None = None
    source_hash: str | None = None
    note: str | None = None
    favorite: bool = False
    archived: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    read_curve: Callable[[], Sequence[Checkpoint]] | None = None


@dataclass(frozen=True)
class Skipped:
    """Something in a source that makes no run.

    Args:
        key: What it is.
        reason: Why, for people; equal ones are counted together.
    """

    key: str
    reason: str


Imported = ImportedRun | Skipped
Reader = Callable[..., Iterator[Imported]]
"""``read(source, **options)``: the runs of a source, one after the other."""


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Args:
        added: New runs.
        finished: Runs that were open here and have ended in the source since.
        known: Runs that were here already.
        skipped: Reason → how many were left out.
        runs: Ids of the runs that were added or finished.
        experiments: Ids of the experiments that they belong to.
    """

    added: int = 0
    finished: int = 0
    known: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[int, ...] = ()
    experiments: tuple[int, ...] = ()

    def __str__(self) -> str:
        parts = (
            [f"{self.added} added", f"{self.finished} finished"] if self.finished else [f"{self.added} added"]
        )
        return ", ".join([*parts, f"{self.known} already there", f"{sum(self.skipped.values())} skipped"])
