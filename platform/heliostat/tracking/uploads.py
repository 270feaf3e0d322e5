"""Runs that were made elsewhere, recorded in one go in the wire's form."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heliostat import outcome as ends
from heliostat import schema
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat.tracking import given
from heliostat.tracking.capture.machine import user
from heliostat.tracking.projects import log_of, present_project
from heliostat.tracking.run_context import RunContext
from heliostat.trial import Measurement, Run, State
from heliostat.writes import CreateRun, FinishRun, LogText, StartRun, UpdateRun, Write

FIELDS = (
    "name", "assignments", "assignments_meta", "assignments_sources", "values", "metadata", "dev_metadata",
    "sys_metadata", "datasets", "model", "source_code", "logs", "state", "favorite", "tags", "origin",
)  # fmt: skip
"""Fields of an uploaded run, as SigOpt's batch call names them, with ``tags`` and ``origin``."""

_ENDS = {
    "active": None,
    "completed": Outcome(State.COMPLETED, "uploaded"),
    "failed": ends.raised({}, "reported", "uploaded as failed"),
}
_UNKNOWN = 0  # in place of the id that the log has yet to give


@dataclass(frozen=True)
class _Upload:
    """One run as read: what makes it, and what follows once it has an id."""

    create: CreateRun
    update: UpdateRun
    texts: Mapping[str, str]
    end: Outcome | None

    def writes(self, run: int) -> Iterator[Write]:
        now = self.create.time
        yield StartRun(run, time=now)
        yield replace(self.update, run=run)
        for stream, text in self.texts.items():
            yield LogText(run, stream, text, time=now)
        if self.end is not None:
            yield FinishRun(run, self.end.state, self.end.reason, time=now, failure=self.end.failure)


def upload_runs(
    runs: Iterable[Mapping[str, Any]],
    *,
    project: str | None = None,
    log: RunLog | str | Path | None = None,
) -> list[RunContext]:
    """Record runs that have been made; if one is refused, none is recorded.

    Args:
        runs: Each with fields among :data:`FIELDS`; ``values`` are numbers or ``{"value": …,
            "value_stddev": …}``, ``state`` is ``completed`` (default), ``failed`` or ``active``.
        project: By default the present one.
        log: Where; by default this folder's log.

    Raises:
        InvalidValue: A field is unknown or breaks a rule; the error names the run by its place.
    """
    folder = present_project(project)
    uploads = [_read(item, f"runs[{place}]", folder) for place, item in enumerate(schema.items(runs, "runs"))]
    opened = log_of(log)
    created = [opened.submit(item.create) for item in uploads]
    ids = [reply.result().run or 0 for reply in created]
    pending = [
        opened.submit(write) for id, item in zip(ids, uploads, strict=True) for write in item.writes(id)
    ]
    for future in pending:
        future.result()
    return [RunContext(opened, _known(id, item)) for id, item in zip(ids, uploads, strict=True)]


def _known(id: int, upload: _Upload) -> Run:
    made = upload.create
    state = State.ACTIVE if upload.end is None else upload.end.state
    return Run(id, project=made.project, name=made.name, assignments=made.assignments, state=state)


def _read(value: Any, field: str, project: str) -> _Upload:
    data = schema.mapping(value, field)
    schema.only_keys(data, field, FIELDS)
    now = time.time()
    name = data.get("name")
    create = CreateRun(
        None,
        given.facts(data.get("assignments") or {}, f"{field}.assignments"),
        time=now,
        project=project,
        name=f"{project} upload" if name is None else given.name(name, f"{field}.name"),
        origin=given.name(data.get("origin", "user"), f"{field}.origin"),
        metadata=given.facts(data.get("metadata") or {}, f"{field}.metadata"),
        user=user(),
    )
    code = schema.mapping(data.get("source_code") or {}, f"{field}.source_code")
    texts = {
        stream: str(text["content"] if isinstance(text, Mapping) else text)
        for stream, text in schema.mapping(data.get("logs") or {}, f"{field}.logs").items()
    }
    if code.get("content"):
        texts["source"] = str(code["content"])
    state = schema.choice(data.get("state", "completed"), f"{field}.state", tuple(_ENDS))
    return _Upload(create, _update(data, field, now, code.get("hash")), texts, _ENDS[state])


def _update(data: Mapping[str, Any], field: str, now: float, version: Any) -> UpdateRun:
    def mapping(key: str) -> dict[str, Any]:
        return schema.mapping(data.get(key) or {}, f"{field}.{key}")

    model = data.get("model")
    kind = model.get("type") if isinstance(model, Mapping) else model
    return UpdateRun(
        _UNKNOWN,
        time=now,
        values={
            given.name(key, "metric name"): _measurement(value, f"{field}.values.{key}")
            for key, value in mapping("values").items()
        },
        parameter_sources={
            key: given.name(schema.mapping(value, field).get("source"), f"{field}.assignments_meta.{key}")
            for key, value in mapping("assignments_meta").items()
        },
        sources=mapping("assignments_sources"),
        dev_metadata=given.facts(mapping("dev_metadata"), f"{field}.dev_metadata"),
        sys_metadata=mapping("sys_metadata"),
        datasets=mapping("datasets"),
        tags={given.name(tag, "tag"): True for tag in schema.items(data.get("tags") or (), f"{field}.tags")},
        model=None if kind is None else str(kind),
        source_hash=None if version is None else str(version),
        favorite=None if data.get("favorite") is None else bool(data["favorite"]),
    )


def _measurement(value: Any, field: str) -> Measurement:
    if isinstance(value, Mapping):
        number, stddev = value.get("value"), value.get("value_stddev")
        return ends.measurement(number if stddev is None else (number, stddev), field)
    return ends.measurement(value, field)
