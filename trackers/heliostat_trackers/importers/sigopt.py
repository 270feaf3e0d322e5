"""SigOpt's objects as its API gave them, saved as JSON.

A file holds a ``pagination`` object with ``data``, a list, one object, or an object a line; a folder holds
such files. ``training_run`` objects are runs; so are ``observation`` objects and open ``suggestion`` objects
of core experiments. ``aiexperiment`` and ``experiment`` objects become experiments of ours, and their runs
join them. ``checkpoint`` objects make curves, ``tag`` objects give tags their names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.imports import ImportedExperiment, ImportedRun, Skipped
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat_trackers.importers.sigopt_experiments import UNNAMED, experiment_of
from heliostat_trackers.importers.sources import existing, unreadable

Object = Mapping[str, Any]

_STATES = {"active": State.ACTIVE, "completed": State.COMPLETED, "failed": State.FAILED}
_SILENT = ("client", "file", "organization", "plan", "project", "queued_suggestion", "token", "user")
"""Objects that an export may hold and that make no runs."""


def read(source: str) -> Iterator[ImportedRun | Skipped]:
    """The runs of an export.

    Args:
        source: A file, or a folder with ``.json`` and ``.jsonl`` files.

    Raises:
        NotFound: There is no such file or folder.
        InvalidValue: It is not JSON, or holds no object of SigOpt's.
    """
    path = existing(source, "SigOpt export")
    files = sorted(path.rglob("*.json*")) if path.is_dir() else [path]
    export = _Export()
    for file in files:
        for item in _objects(file):
            export.take(item)
    if not export.is_known:
        rule = "holds none of SigOpt's objects"
        remedy = 'Each has a field "object", such as "training_run"; save what the API answered.'
        raise InvalidValue("source", rule, given=source, remedy=remedy, code="HS-VALUE-010")
    yield from export.runs()


def _objects(file: Path) -> Iterator[Object]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise unreadable(file, "JSON", error) from None
    try:
        yield from _flat(json.loads(text))
    except json.JSONDecodeError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            parsed = [json.loads(line) for line in lines]
        except json.JSONDecodeError:
            raise unreadable(file, "JSON", whole) from None
        yield from _flat(parsed)


def _flat(value: Any) -> Iterator[Object]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, Mapping) and isinstance(value.get("data"), list):
        yield from _flat(value["data"])
    elif isinstance(value, Mapping):
        yield value


@dataclass
class _Export:
    """The objects of an export by kind."""

    experiments: dict[str, Object] = field(default_factory=dict)
    training_runs: dict[str, Object] = field(default_factory=dict)
    observations: dict[str, Object] = field(default_factory=dict)
    suggestions: dict[str, Object] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, Object]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    is_known: bool = False

    def take(self, item: Object) -> None:
        """Sort an object in; the same id again replaces."""
        kind, id = str(item.get("object", "")), str(item.get("id"))
        homes = {
            "aiexperiment": self.experiments,
            "experiment": self.experiments,
            "training_run": self.training_runs,
            "observation": self.observations,
            "suggestion": self.suggestions,
        }
        self.is_known = self.is_known or kind in homes
        if kind in homes:
            homes[kind][id] = item
        elif kind == "checkpoint":
            self.checkpoints.setdefault(str(item.get("training_run")), {})[id] = item
        elif kind == "tag":
            self.tags[id] = str(item.get("name"))
        elif kind not in _SILENT:
            self.skipped.append(Skipped(f"{kind} {id}", f"is no object that makes runs: {kind or 'unnamed'}"))

    def runs(self) -> Iterator[ImportedRun | Skipped]:
        """All that makes runs, oldest first."""
        yield from self.skipped
        experiments: dict[str, ImportedExperiment | None] = {}
        for id, item in self.experiments.items():
            found = experiment_of(item)
            experiments[id] = found if isinstance(found, ImportedExperiment) else None
            if isinstance(found, Skipped):
                yield found
        yield from _each(lambda item: _training_run(item, self, experiments), self.training_runs.values())
        hidden = {str(item.get("observation")) for item in self.training_runs.values()}
        observed = [item for id, item in self.observations.items() if id not in hidden]
        yield from _each(lambda item: _observation(item, self, experiments), observed)
        yield from self._open_suggestions(experiments)

    def _open_suggestions(
        self, experiments: Mapping[str, ImportedExperiment | None]
    ) -> Iterator[ImportedRun | Skipped]:
        answered = {
            str(item.get("suggestion"))
            for item in (*self.observations.values(), *self.training_runs.values())
        }
        for id, item in self.suggestions.items():
            if id in answered:
                continue
            if item.get("state", "open") != "open" or item.get("deleted"):
                yield Skipped(f"suggestion {id}", "is a closed suggestion without an observation")
            else:
                yield from _each(lambda item: _suggestion(item, experiments), [item])


def _each(read: Callable[[Object], ImportedRun], items: Iterable[Object]) -> Iterator[ImportedRun | Skipped]:
    """Each object's run, oldest first; what is not as the API gives it is left out."""
    runs = []
    for item in items:
        try:
            runs.append(read(item))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            kind = item.get("object")
            yield Skipped(f"{kind} {item.get('id')}", f"is no {kind} as SigOpt's API gives it ({error!r})")
    yield from sorted(runs, key=lambda run: float(run.created or 0))


def _training_run(
    item: Object, export: _Export, experiments: Mapping[str, ImportedExperiment | None]
) -> ImportedRun:
    state = _STATES.get(str(item.get("state")), State.ACTIVE)
    logs = item.get("logs") or {}
    code = item.get("source_code") or {}
    texts = {stream: log.get("content") for stream, log in logs.items()} | {"source": code.get("content")}
    home = _home(item, experiments)
    return ImportedRun(
        key=f"training_run {item['id']}",
        params=item.get("assignments") or {},
        values=_values((item.get("values") or {}).values()),
        curve=_curve(export.checkpoints.get(str(item["id"]), {})),
        state=state,
        failure=_failure(state),
        created=item.get("created"),
        started=item.get("created"),
        ended=item.get("completed") or (None if state.is_open else item.get("updated")),
        name=item.get("name") or "",
        user=str(item.get("user") or ""),
        metadata={**(item.get("metadata") or {}), **home.pop("metadata", {})},
        dev_metadata=item.get("dev_metadata") or {},
        sys_metadata=item.get("sys_metadata") or {},
        datasets={name: {} for name in item.get("datasets") or ()},
        tags=[export.tags.get(str(id), str(id)) for id in item.get("tags") or ()],
        model=(item.get("model") or {}).get("type"),
        source_hash=code.get("hash"),
        favorite=bool(item.get("favorite")),
        archived=bool(item.get("deleted")),
        parameter_sources={
            name: meta["source"]
            for name, meta in (item.get("assignments_meta") or {}).items()
            if meta.get("source")
        },
        texts={stream: content for stream, content in texts.items() if content},
        **home,
    )


def _suggestion(item: Object, experiments: Mapping[str, ImportedExperiment | None]) -> ImportedRun:
    home = _home(item, experiments)
    return ImportedRun(
        key=f"suggestion {item['id']}",
        params=item.get("assignments") or {},
        state=State.ACTIVE,
        created=item.get("created"),
        started=item.get("created"),
        metadata={**(item.get("metadata") or {}), **home.pop("metadata", {})},
        task=_task(item),
        **home,
    )


def _observation(
    item: Object, export: _Export, experiments: Mapping[str, ImportedExperiment | None]
) -> ImportedRun:
    suggestion = export.suggestions.get(str(item.get("suggestion")), {})
    state = State.FAILED if item.get("failed") else State.COMPLETED
    # An open suggestion that was imported before is this run: hence one key for both.
    is_of = f"suggestion {item['suggestion']}" if item.get("suggestion") else f"observation {item['id']}"
    home = _home(item, experiments)
    return ImportedRun(
        key=is_of,
        params=item.get("assignments") or suggestion.get("assignments") or {},
        values=_values(item.get("values") or ()),
        state=state,
        failure=_failure(state),
        created=suggestion.get("created", item.get("created")),
        started=suggestion.get("created"),
        ended=item.get("created"),
        metadata={**(item.get("metadata") or {}), **home.pop("metadata", {})},
        task=_task(item) or _task(suggestion),
        archived=bool(item.get("deleted")),
        **home,
    )


def _home(item: Object, experiments: Mapping[str, ImportedExperiment | None]) -> dict[str, Any]:
    """The fields that say where a run belongs; an experiment that is not in the export is a fact only."""
    id = item.get("experiment")
    found = None if id is None else experiments.get(str(id))
    if found is not None:
        return {"experiment": found, "origin": "sigopt", "project": found.spec.project}
    home = {"origin": "sigopt", "project": str(item.get("project") or "")}
    return home if id is None else {**home, "metadata": {"sigopt_experiment": str(id)}}


def _values(given: Iterable[Object]) -> dict[str, Measurement]:
    return {
        str(item.get("name") or UNNAMED): Measurement(float(item["value"]), item.get("value_stddev"))
        for item in given
        if item.get("value") is not None
    }


def _curve(found: Mapping[str, Object]) -> list[Checkpoint]:
    """SigOpt's checkpoints have no step; their order is one."""
    ordered = sorted(found.values(), key=lambda item: (item.get("created") or 0, int(item["id"])))
    return [
        Checkpoint(
            step,
            {name: value.value for name, value in _values(item.get("values") or ()).items()},
            float(item.get("created") or 0),
        )
        for step, item in enumerate(ordered, start=1)
    ]


def _failure(state: State) -> Failure | None:
    return Failure("user_error", "reported as failed to SigOpt") if state is State.FAILED else None


def _task(item: Object) -> str | None:
    task = item.get("task")
    name = task.get("name") if isinstance(task, Mapping) else task
    return None if name is None else str(name)
