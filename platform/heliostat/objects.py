"""Experiments and runs as plain objects for JSON: the command line prints them, later HTTP serves them.

Field names are SigOpt's v1 where SigOpt has the field; ids are texts there and here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from heliostat.ports import ExperimentRecord
from heliostat.query import columns
from heliostat.trial import Checkpoint, LateMeasurement, Measurement, Run

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How texts begin that spreadsheets run, after OWASP's "CSV injection"."""


def experiment_object(record: ExperimentRecord) -> dict[str, Any]:
    """An experiment: its declaration plus ``id``, ``created`` and the number of runs by state."""
    declared = record.spec.to_dict()
    counts = {state: count for state, count in record.counts.items() if count}
    return {
        "object": "experiment",
        "id": str(record.id),
        "created": record.created,
        **declared,
        "runs": counts,
    }


def run_object(run: Run) -> dict[str, Any]:
    """A run; its curve is included when it was read."""
    return {
        "object": "run",
        "id": str(run.id),
        "experiment": None if run.experiment is None else str(run.experiment),
        "project": run.project,
        "number": run.number,
        "name": run.name,
        "state": str(run.state),
        "end_reason": run.end_reason,
        "origin": run.origin,
        "searcher": run.searcher,
        "why": run.why,
        "user": run.user,
        "assignments": _finite(run.assignments),
        "assignments_meta": {name: {"source": source} for name, source in run.parameter_sources.items()},
        "assignments_sources": _finite(run.sources),
        "task": run.task,
        "values": {name: _value(item) for name, item in run.values.items()},
        "late": _late(run),
        "predicted": {
            name: {"mean": _json_number(item.mean), "stddev": _json_number(item.stddev)}
            for name, item in run.predicted.items()
        },
        "failure": None if run.failure is None else vars(run.failure),
        "attempt": run.attempt,
        "created": run.created,
        "started": run.started,
        "completed": run.ended,
        "updated": run.updated,
        "metadata": _finite(run.metadata),
        "dev_metadata": _finite(run.dev_metadata),
        "sys_metadata": _finite(run.sys_metadata),
        "datasets": _finite(run.datasets),
        "model": {"type": run.model},
        "source_code": {"hash": run.source_hash},
        "tags": list(run.tags),
        "note": run.note,
        "favorite": run.favorite,
        "deleted": run.archived,
        "checkpoints": [_point(item) for item in run.curve],
    }


def table(runs: Iterable[Run]) -> tuple[list[str], list[list[Any]]]:
    """Runs as columns and rows for CSV: facts, then ``params.…`` and ``metrics.…`` of any run, then the rest.

    Cells are texts and numbers that :func:`cell_value` reads back, ``None`` where there is no value.
    """
    found = columns(list(runs))
    found["seconds"] = [None if value is None else round(value, 3) for value in found["seconds"]]
    facts = ["number", "id", "state", "origin", "searcher", "seconds", "end_reason"]
    measured = [name for name in found if name.startswith(("params.", "metrics."))]
    names = list(dict.fromkeys([*facts, *measured, *found]))
    rows = zip(*(map(cell, found[name]) for name in names), strict=True)
    return names, [list(row) for row in rows]


def cell(value: Any) -> Any:
    """A value as a cell of a CSV file: what spreadsheets expect, but for texts that would be misread.

    A text that looks like a number, a truth value, JSON or nothing, or that a spreadsheet would run as a
    formula, is written in JSON's quotes; lists and mappings are JSON; an empty list is nothing.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value) if _misread(value) else value
    if value is None or isinstance(value, (int, float)):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if value else None


def cell_value(text: str) -> Any:
    """The value that :func:`cell` was given; ``None`` for an empty cell."""
    if text == "":
        return None
    if text in ("true", "false"):
        return text == "true"
    if text[0] in '"[{':
        return json.loads(text)
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else text
        except ValueError:
            continue
    return text


def _misread(text: str) -> bool:
    if text.startswith(_FORMULAS):
        return True
    try:
        return not isinstance(cell_value(text), str) or text[0] == '"'
    except ValueError:
        return True


def _value(item: Measurement) -> dict[str, Any]:
    return {
        "value": _json_number(item.value),
        "value_stddev": None if item.stddev is None else _json_number(item.stddev),
    }


def _late(run: Run) -> dict[str, Any]:
    return {
        role: {
            name: [{**_late_value(item), "at": item.time} for item in items] for name, items in found.items()
        }
        for role, found in run.late.items()
    }


def _late_value(item: LateMeasurement) -> dict[str, Any]:
    return _value(Measurement(item.value, item.stddev))


def _point(item: Checkpoint) -> dict[str, Any]:
    values = {name: _json_number(value) for name, value in item.values.items()}
    return {"step": item.step, "values": values, "time": item.time}


def _finite(value: Any) -> Any:
    """Free values with their numbers written as :func:`_json_number` writes them."""
    if isinstance(value, float):
        return _json_number(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; they are written as texts, never as null, which means missing."""
    return value if math.isfinite(value) else repr(value)
