"""Experiments and runs as plain objects for JSON: the command line prints them, later HTTP serves them.

Field names are SigOpt's v1 where SigOpt has the field; ids are texts there and here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from heliostat.ports import ExperimentRecord
from heliostat.trial import Checkpoint, Measurement, Run


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
        "state": str(run.state),
        "end_reason": run.end_reason,
        "origin": run.origin,
        "searcher": run.searcher,
        "why": run.why,
        "assignments": dict(run.assignments),
        "task": run.task,
        "values": {name: _value(item) for name, item in run.values.items()},
        "predicted": {
            name: {"mean": item.mean, "stddev": item.stddev} for name, item in run.predicted.items()
        },
        "failure": None if run.failure is None else vars(run.failure),
        "attempt": run.attempt,
        "created": run.created,
        "started": run.started,
        "completed": run.ended,
        "metadata": dict(run.metadata),
        "checkpoints": [_point(item) for item in run.curve],
    }


def table(runs: Iterable[Run]) -> tuple[list[str], list[list[Any]]]:
    """Runs as columns and rows for CSV: facts, then ``params.…`` and ``metrics.…`` of any run."""
    listed = list(runs)
    facts = ["number", "id", "state", "origin", "searcher", "seconds", "end_reason"]
    params = sorted({name for run in listed for name in run.assignments})
    metrics = sorted({name for run in listed for name in run.values})
    columns = [*facts, *(f"params.{name}" for name in params), *(f"metrics.{name}" for name in metrics)]
    rows: list[list[Any]] = []
    for run in listed:
        seconds = None if math.isnan(run.seconds) else round(run.seconds, 3)
        own = [run.number, run.id, str(run.state), run.origin, run.searcher, seconds, run.end_reason]
        numbers: Mapping[str, float] = run.numbers
        values = [run.assignments.get(name) for name in params]
        rows.append([*own, *values, *(numbers.get(name) for name in metrics)])
    return columns, rows


def _value(item: Measurement) -> dict[str, Any]:
    return {"value": _json_number(item.value), "value_stddev": item.stddev}


def _point(item: Checkpoint) -> dict[str, Any]:
    values = {name: _json_number(value) for name, value in item.values.items()}
    return {"step": item.step, "values": values, "time": item.time}


def _json_number(value: float) -> float | str:
    """JSON has no NaN and no infinity; they are written as texts, never as null, which means missing."""
    return value if math.isfinite(value) else repr(value)
