"""Runs, checkpoints and files as SigOpt's v1 objects; pure.

What SigOpt had no word for is in further keys: ``end`` (how the run ended, one of Heliostat's six states),
``end_reason``, ``failure``, ``origin``, ``why``, ``predicted``, ``number``, ``task``, ``attempt``, ``note``,
``late``. Old clients ignore them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat.ports import FileRecord
from heliostat.trial import Checkpoint, Measurement, Run, State

SOURCE = "source"
"""Name of the run's text that holds its code."""

HIDDEN = "checkpoint_metadata"
"""Key of ``sys_metadata`` for what checkpoints carry beside values; not shown among it."""

_ENDED_WELL = (State.COMPLETED, State.EARLY_STOPPED)


def run_object(
    run: Run,
    *,
    client: str = "1",
    tags: Mapping[str, int] | None = None,
    texts: Mapping[str, str] | None = None,
    files: Sequence[int] = (),
    checkpoints: int | None = None,
) -> dict[str, Any]:
    """A ``training_run``.

    Args:
        run: The run; its curve is counted where `checkpoints` is not given.
        client: Identity of the team.
        tags: Identities of declared tags by name; other tags show by name.
        texts: The run's texts by stream.
        files: Identities of its files.
        checkpoints: Number of points of its curve.
    """
    known = tags or {}
    in_experiment = run.experiment is not None
    is_observed = in_experiment and not run.state.is_open
    id = str(run.id)
    return {
        "object": "training_run",
        "id": id,
        "client": client,
        "project": run.project,
        "experiment": str(run.experiment) if in_experiment else None,
        "suggestion": id if in_experiment else None,
        "observation": id if is_observed else None,
        "user": run.user or None,
        "name": run.name or None,
        "state": wire_state(run.state),
        "finished": run.state is State.COMPLETED or is_observed,
        "created": int(run.created),
        "updated": int(run.updated or run.created),
        "completed": None if run.ended is None else int(run.ended),
        "deleted": run.archived,
        "favorite": run.favorite,
        "optimized_suggestion": in_experiment and run.origin != "user",
        "checkpoint_count": len(run.curve) if checkpoints is None else checkpoints,
        **_facts(run),
        **_texts(run, texts or {}),
        "tags": [str(known.get(name, name)) for name in run.tags],
        "files": [str(file) for file in files],
        **_more(run),
    }


def wire_state(state: State) -> str:
    """SigOpt's three states: what was stopped early has completed, what was lost or cancelled has failed."""
    if state.is_open:
        return "active"
    return "completed" if state in _ENDED_WELL else "failed"


def evaluation(name: str, item: Measurement) -> dict[str, Any]:
    """A ``metric_evaluation``."""
    return {
        "object": "metric_evaluation",
        "name": name,
        "value": finite(item.value),
        "value_stddev": finite(item.stddev),
    }


def checkpoint_object(run: Run, point: Checkpoint) -> dict[str, Any]:
    """A ``checkpoint``; its id is its step."""
    facts = run.sys_metadata.get(HIDDEN, {}).get(str(point.step), {})
    errors = facts.get("stddev", {})
    values = (Measurement(value, errors.get(name)) for name, value in point.values.items())
    return {
        "object": "checkpoint",
        "id": str(point.step),
        "training_run": str(run.id),
        "created": int(point.time),
        "metadata": facts.get("metadata") or None,
        "values": [evaluation(name, item) for name, item in zip(point.values, values, strict=True)],
        "step": point.step,
    }


def file_object(file: FileRecord, client: str = "1") -> dict[str, Any]:
    """A ``file``."""
    return {
        "object": "file",
        "id": str(file.id),
        "training_run": str(file.run),
        "client": client,
        "user": None,
        "name": file.name,
        "filename": file.filename,
        "created": int(file.created),
        "content_length": file.size,
        "content_type": file.content_type,
        "content_md5": file.md5,
    }


def finite(value: Any) -> Any:
    """Free values in JSON, which has no NaN and no infinity: those are texts, as null would mean missing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _facts(run: Run) -> dict[str, Any]:
    return {
        "assignments": finite(run.assignments),
        "assignments_meta": {
            name: {"object": "assignment_meta", "source": source}
            for name, source in run.parameter_sources.items()
        },
        "assignments_sources": {
            name: {"object": "assignment_source", **finite(shown)} for name, shown in run.sources.items()
        },
        "values": {name: evaluation(name, item) for name, item in run.values.items()},
        "metadata": finite(run.metadata) or None,
        "dev_metadata": finite(run.dev_metadata),
        "sys_metadata": {key: finite(item) for key, item in run.sys_metadata.items() if key != HIDDEN},
        "datasets": {name: {"object": "dataset", **finite(facts)} for name, facts in run.datasets.items()},
        "model": {"object": "model", "type": run.model or None},
    }


def _texts(run: Run, found: Mapping[str, str]) -> dict[str, Any]:
    return {
        "logs": {
            stream: {"object": "log", "content": content}
            for stream, content in found.items()
            if stream != SOURCE
        },
        "source_code": {
            "object": "source_code",
            "content": found.get(SOURCE),
            "hash": run.source_hash or None,
        },
    }


def _more(run: Run) -> dict[str, Any]:
    """What SigOpt had no word for."""
    return {
        "end": None if run.state.is_open else run.state.value,
        "end_reason": run.end_reason,
        "failure": None
        if run.failure is None
        else {"kind": run.failure.kind, "message": run.failure.message},
        "origin": run.origin,
        "why": run.why,
        "predicted": {
            name: {"mean": finite(item.mean), "stddev": finite(item.stddev)}
            for name, item in run.predicted.items()
        },
        "number": run.number,
        "task": run.task,
        "attempt": run.attempt,
        "note": run.note,
        "late": {
            role: {
                name: [
                    {**evaluation(name, Measurement(item.value, item.stddev)), "at": item.time}
                    for item in found
                ]
                for name, found in metrics.items()
            }
            for role, metrics in run.late.items()
        },
    }
