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
        *("id", "experiment", "project", "number", "name"),
        *("assignments", "state", "values"),
        *("task", "origin", "searcher", "why"),
        *("predicted", "end_reason", "failure"),
        *("attempt", "created", "started", "ended"),
        "metadata",
        *("updated", "user"),
        *("parameter_sources", "sources", "dev_metadata", "sys_metadata", "datasets"),
        *("model", "source_hash"),
        *("tags", "note", "favorite", "archived"),
    )
)
"""What to select for :func:`run_of`: the fields of a run in order, but for its curve and late values."""


def run_of(row: Sequence[Any], curve: tuple[Checkpoint, ...] = (), late: Late = _NO_LATE) -> Run:
    """The run in a row of :data:`COLUMNS`, taken by place: names would cost more than all the rest."""
    fields: tuple[Any, ...] = (
        *row[:5],
        free_value(row[5]),
        _STATES[row[6]],
        measurements(row[7]),
        *row[8:12],
        predictions(row[12]),
        row[13],
        None if row[14] is None else failure_value(row[14]),
        *row[15:19],
        _facts(row[19]),
        curve,
        *row[20:22],
        *map(_facts, row[22:27]),
        *row[27:29],
        () if row[29] == "[]" else tuple(json.loads(row[29])),
        row[30],
        bool(row[31]),
        bool(row[32]),
        late,
    )
    return Run(*fields)


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
