"""From a row of the table of runs to a run: the place where long histories spend their time."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from heliostat.trial import Checkpoint, LateMeasurement, Run, State
from heliostat_trackers.columns import failure_value, free_value, measurements, predictions
from heliostat_trackers.tables import runs

Late = Mapping[str, Mapping[str, Sequence[LateMeasurement]]]

_STATES = {state.value: state for state in State}
_NO_LATE: Late = {}

COLUMNS = tuple(
    runs.c[name]
    for name in (
        "id",
        "experiment",
        "project",
        "number",
        "name",
        "assignments",
        "state",
        "values",
        "task",
        "origin",
        "searcher",
        "why",
        "predicted",
        "end_reason",
        "failure",
        "attempt",
        "created",
        "started",
        "ended",
        "metadata",
        "updated",
        "user",
        "parameter_sources",
        "sources",
        "dev_metadata",
        "sys_metadata",
        "datasets",
        "model",
        "source_hash",
        "tags",
        "note",
        "favorite",
        "archived",
    )
)
"""What to select for :func:`run_of`, in this order."""


def run_of(row: Sequence[Any], curve: tuple[Checkpoint, ...] = (), late: Late = _NO_LATE) -> Run:
    """The run in a row of :data:`COLUMNS`; unpacked by place, since names cost more than all the rest."""
    (
        id,
        experiment,
        project,
        number,
        name,
        assignments,
        state,
        values,
        task,
        origin,
        searcher,
        why,
        predicted,
        end_reason,
        failure,
        attempt,
        created,
        started,
        ended,
        metadata,
        updated,
        user,
        parameter_sources,
        sources,
        dev_metadata,
        sys_metadata,
        datasets,
        model,
        source_hash,
        tags,
        note,
        favorite,
        archived,
    ) = row
    return Run(
        id,
        experiment,
        project,
        number,
        name,
        free_value(assignments),
        _STATES[state],
        measurements(values),
        task,
        origin,
        searcher,
        why,
        predictions(predicted),
        end_reason,
        None if failure is None else failure_value(failure),
        attempt,
        created,
        started,
        ended,
        _facts(metadata),
        curve,
        updated,
        user,
        _facts(parameter_sources),
        _facts(sources),
        _facts(dev_metadata),
        _facts(sys_metadata),
        _facts(datasets),
        model,
        source_hash,
        () if tags == "[]" else tuple(json.loads(tags)),
        note,
        bool(favorite),
        bool(archived),
        late,
    )


@contextmanager
def collected_later() -> Iterator[None]:
    """Hold the garbage collector back while many objects are made that all stay.

    It would look through every run made so far again and again, a third of the time of a long reading.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _facts(text: str) -> dict[str, Any]:
    return {} if text == "{}" else free_value(text)
