"""The writes that an imported run comes to, with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from heliostat.imports.plain import facts, parameter, text
from heliostat.imports.values import ImportedRun
from heliostat.trial import Checkpoint, Failure
from heliostat.writes import CreateRun, FinishRun, LogCheckpoints, LogText, StartRun, UpdateRun, Write

MARK = "imported_from"
"""Key under which a run or an experiment says what it was in its source."""

POINTS = 10_000
"""Points of one write; a longer curve takes several."""


@dataclass(frozen=True)
class Target:
    """Where a run goes.

    Args:
        identity: What the run was in its source: no other one has this text.
        project: Its project.
        experiment: Its experiment, if any.
        names: Those of its parameters that the experiment assigned.
    """

    identity: str
    project: str
    experiment: int | None = None
    names: frozenset[str] = frozenset()

    @property
    def place(self) -> tuple[int | None, str | None]:
        """The experiment, or else the project: the same run may be imported into several places."""
        return (None, self.project) if self.experiment is None else (self.experiment, None)

    def key(self, what: str) -> str:
        """The key of one write about the run."""
        run = blake2b(text(f"{self.identity} {self.place}").encode(), digest_size=16).hexdigest()
        return f"import-{run}-{what}"


def creation(run: ImportedRun, target: Target, time: float) -> CreateRun:
    """The run, with what cannot change any more: in an experiment that includes its assignments."""
    own = {name: value for name, value in run.params.items() if name in target.names}
    return CreateRun(
        target.experiment,
        {text(name): parameter(value) for name, value in own.items()},
        time=time,
        project=target.project,
        origin=text(run.origin),
        task=run.task,
        user=text(run.user),
        key=target.key("create"),
    )


def later_writes(run: ImportedRun, target: Target, id: int, time: float) -> Iterator[Write]:
    """All that is said of the run but its end."""
    yield _keyed(_facts(run, target, id, time), target, "facts")
    if run.started is not None and (run.ended is not None or run.state.is_open):
        yield StartRun(id, time=run.started, key=target.key("start"))
    points = [_point(item) for item in (run.curve if run.read_curve is None else run.read_curve())]
    for first in range(0, len(points), POINTS):
        yield _keyed(LogCheckpoints(id, tuple(points[first : first + POINTS])), target, "curve")
    for stream, content in run.texts.items():
        yield _keyed(LogText(id, text(stream), text(content), time=time, replace=True), target, "text")


def end_of(run: ImportedRun, target: Target, id: int, now: float) -> Iterator[Write]:
    """The run's end, if it has come."""
    if run.state.is_open:
        return
    failure = run.failure
    if failure is not None:
        failure = Failure(text(failure.kind), text(failure.message), text(failure.traceback))
    moment = next((item for item in (run.ended, run.started, run.created) if item is not None), now)
    yield FinishRun(
        id,
        run.state,
        text(run.reason) or (failure.message if failure is not None else "finished"),
        time=moment,
        values={text(name): value for name, value in run.values.items()},
        failure=failure,
        key=target.key(f"end-{run.state}"),
    )


def _facts(run: ImportedRun, target: Target, id: int, time: float) -> UpdateRun:
    others = {name: value for name, value in run.params.items() if name not in target.names}
    return UpdateRun(
        id,
        time=time,
        values={text(name): value for name, value in run.values.items()} if run.state.is_open else {},
        assignments={text(name): parameter(value) for name, value in others.items()},
        parameter_sources={text(name): text(group) for name, group in run.parameter_sources.items()},
        metadata=facts(run.metadata),
        dev_metadata=facts({**run.dev_metadata, MARK: target.identity}),
        sys_metadata=facts(run.sys_metadata),
        datasets={text(name): facts(item) for name, item in run.datasets.items()},
        tags={text(name): True for name in run.tags},
        name=text(run.name) or None,
        model=None if run.model is None else text(run.model),
        source_hash=None if run.source_hash is None else text(run.source_hash),
        note=None if run.note is None else text(run.note),
        favorite=True if run.favorite else None,
        archived=True if run.archived else None,
    )


def _point(item: Checkpoint) -> Checkpoint:
    return replace(item, values={text(name): value for name, value in item.values.items()})


def _keyed(write: Any, target: Target, what: str) -> Any:
    """The write under a key that names its content: the same content is the same write."""
    content = {name: value for name, value in vars(write).items() if name not in ("key", "time")}
    canonical = json.dumps(content, sort_keys=True, default=vars)
    digest = blake2b(canonical.encode(), digest_size=12).hexdigest()
    return replace(write, key=target.key(f"{what}-{digest}"))
