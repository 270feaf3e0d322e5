"""From a row of the table of runs to a run: the place where long histories spend their time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat.garbage import collected_later
from heliostat.trial import Checkpoint, LateMeasurement, Measurement, Run, State
from heliostat_trackers.columns import all_measurements, failure_value, free_values, predictions
from heliostat_trackers.tables import runs

Late = Mapping[str, Mapping[str, Sequence[LateMeasurement]]]

_AT_ONCE = 500
"""Rows whose JSON is decoded together: a call for each text would cost as much as its content."""

_VALUES = 7
_FACTS = (5, 19, *range(22, 27))
"""Places of the columns that hold mappings of free values."""

_NAMES = tuple(item.name for item in dataclasses.fields(Run))
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
    """The run in a row of :data:`COLUMNS`."""
    (run,) = runs_of([row], {row[0]: curve}, {row[0]: late})
    return run


def runs_of(
    rows: Sequence[Sequence[Any]],
    curves: Mapping[int, tuple[Checkpoint, ...]],
    late: Mapping[int, Late],
) -> list[Run]:
    """The runs in rows of :data:`COLUMNS`, with their curves and late values by identity."""
    made: list[Run] = []
    with collected_later():
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            facts = zip(*(free_values([row[place] for row in some]) for place in _FACTS), strict=True)
            values = all_measurements([row[_VALUES] for row in some])
            for row, its_facts, its_values in zip(some, facts, values, strict=True):
                made.append(_run(row, its_facts, its_values, curves.get(row[0], ()), late.get(row[0], {})))
    return made


def _run(
    row: Sequence[Any],
    facts: tuple[dict[str, Any], ...],
    values: dict[str, Measurement],
    curve: tuple[Checkpoint, ...],
    late: Late,
) -> Run:
    """Fields by place: names would cost more than all the rest."""
    assignments, metadata, *others = facts
    fields: tuple[Any, ...] = (
        *row[:5],
        assignments,
        _STATES[row[6]],
        values,
        *row[8:12],
        predictions(row[12]),
        row[13],
        None if row[14] is None else failure_value(row[14]),
        *row[15:19],
        metadata,
        curve,
        *row[20:22],
        *others,
        *row[27:29],
        () if row[29] == "[]" else tuple(json.loads(row[29])),
        row[30],
        bool(row[31]),
        bool(row[32]),
        late,
    )
    run = object.__new__(Run)
    vars(run).update(zip(_NAMES, fields, strict=True))  # its constructor sets a frozen field at a time
    return run
