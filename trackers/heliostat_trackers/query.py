"""Queries in two steps: which runs match and in which order, then the page's runs whole.

The database narrows the runs down by plain columns, with statements that every database has in common; the
conditions themselves are judged in Python, by the same code for every store, on runs of which only the asked
columns are read and decoded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from heliostat.garbage import collected_later
from heliostat.query import And, Condition, Filter, Not, Or, RunPage, RunQuery, page_of
from heliostat.trial import LateMeasurement, Run, State
from heliostat_trackers.columns import failure_value, free_value, measurements
from heliostat_trackers.run_rows import COLUMNS, runs_of
from heliostat_trackers.tables import late_values, metric_names, runs

_FETCHED = 1000
"""Rows that are in memory at once while the runs are judged."""

_WHOLE = {
    "id": runs.c.id,
    "experiment": runs.c.experiment,
    "number": runs.c.number,
    "attempt": runs.c.attempt,
}
_REAL = {
    "created": runs.c.created,
    "updated": runs.c.updated,
    "started": runs.c.started,
    "completed": runs.c.ended,
}
_TEXT = {
    "project": runs.c.project,
    "name": runs.c.name,
    "state": runs.c.state,
    "origin": runs.c.origin,
    "searcher": runs.c.searcher,
    "task": runs.c.task,
    "user": runs.c.user,
    "model.type": runs.c.model,
    "source_code.hash": runs.c.source_hash,
}
_FLAG = {"favorite": runs.c.favorite, "deleted": runs.c.archived}
_NULLABLE = {name: column for name, column in (_WHOLE | _REAL).items() if column.nullable}

_LATE = (
    select(
        late_values.c.run,
        late_values.c.role,
        metric_names.c.name,
        late_values.c.value,
        late_values.c.at,
        late_values.c.stddev,
    )
    .join(runs, late_values.c.run == runs.c.id)
    .join(metric_names, late_values.c.metric == metric_names.c.id)
    .order_by(late_values.c.run, late_values.c.role, metric_names.c.name, late_values.c.at)
)

_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "state": State,
    "assignments": free_value,
    "values": measurements,
    "failure": failure_value,
    "metadata": free_value,
    "dev_metadata": free_value,
    "datasets": free_value,
    "tags": lambda text: tuple(json.loads(text)),
    "favorite": bool,
    "archived": bool,
}


def read_page(
    connection: Connection, query: RunQuery, experiment: int | None, project: str | None
) -> RunPage:
    """The runs that a query asks for, all from one state of the log."""
    where = _scope(query, experiment, project)
    matches, place = query.matcher(), query.placer()
    with collected_later():
        places = [place(run) for run in _sketches(connection, query.needs, where) if matches(run)]
        ids, page = page_of(query, places)
        return replace(page, runs=_whole(connection, ids))


def _scope(query: RunQuery, experiment: int | None, project: str | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if experiment is not None:
        where.append(runs.c.experiment == experiment)
    if project is not None:
        where.append(runs.c.project == project)
    if not query.shows_archived:
        where.append(runs.c.archived.is_(False))
    narrowed = None if query.filters is None else _narrowed(query.filters)
    return where if narrowed is None else [*where, narrowed]


def _sketches(
    connection: Connection, needs: frozenset[str], where: Sequence[ColumnElement[bool]]
) -> Iterator[Run]:
    """All runs in the scope, with the needed attributes only."""
    names = sorted(needs - {"late"})
    statement = select(*(runs.c[name] for name in names)).where(*where)
    late = _late(connection, where) if "late" in needs else {}
    id_at = names.index("id")
    for row in connection.execute(statement.execution_options(yield_per=_FETCHED)):
        sketch: Any = _Sketch(dict(zip(names, row, strict=True)))
        if late:
            sketch.late = late.get(row[id_at], {})
        yield sketch


class _Sketch:
    """Stands for a run: a column is decoded when it is first looked at, which for most runs is never."""

    late: Mapping[str, Mapping[str, Sequence[LateMeasurement]]] = {}

    def __init__(self, columns: dict[str, Any]) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        value = self._columns[name]
        decode = _DECODERS.get(name)
        found = value if decode is None else decode(value)
        setattr(self, name, found)
        return found


def _whole(connection: Connection, ids: Sequence[int]) -> tuple[Run, ...]:
    found: dict[int, Run] = {}
    for start in range(0, len(ids), _FETCHED):
        part = ids[start : start + _FETCHED]
        where = [runs.c.id.in_(part)]
        late = _late(connection, where)
        rows = connection.execute(select(*COLUMNS).where(*where)).all()
        found |= {run.id: run for run in runs_of(rows, {}, late)}
    return tuple(found[id] for id in ids)


def _late(
    connection: Connection, where: Sequence[ColumnElement[bool]]
) -> dict[int, dict[str, dict[str, list[LateMeasurement]]]]:
    found: dict[int, dict[str, dict[str, list[LateMeasurement]]]] = {}
    for run, role, metric, value, *rest in connection.execute(_LATE.where(*where)):
        values = found.setdefault(run, {}).setdefault(role, {}).setdefault(metric, [])
        values.append(LateMeasurement(math.nan if value is None else value, *rest))
    return found


def _narrowed(condition: Condition) -> ColumnElement[bool] | None:
    """What the database can say about a condition: true of every run that matches, and of others perhaps."""
    if isinstance(condition, Filter):
        return _compared(condition)
    if isinstance(condition, Not):
        return None
    parts = [_narrowed(item) for item in condition.conditions]
    known = [part for part in parts if part is not None]
    if isinstance(condition, And):
        return and_(*known) if known else None
    return or_(*known) if known and isinstance(condition, Or) and len(known) == len(parts) else None


def _compared(item: Filter) -> ColumnElement[bool] | None:
    if item.operator == "isnull":
        column = _NULLABLE.get(item.field)
        return None if column is None else column.is_(None) if item.value else column.is_not(None)
    narrow, value = _bound(item)
    signs: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
        "==": lambda left, right: left == right,
        "!=": lambda left, right: left != right,
    }
    if item.field not in _TEXT:  # each database sorts texts its own way
        signs |= {
            ">=": lambda left, right: left >= right,
            ">": lambda left, right: left > right,
            "<=": lambda left, right: left <= right,
            "<": lambda left, right: left < right,
        }
    return None if narrow is None or item.operator not in signs else signs[item.operator](narrow, value)


def _bound(item: Filter) -> tuple[ColumnElement[Any] | None, Any]:
    """The column and the value, if the column's type can hold the value."""
    value, name = item.value, item.field
    if name in _WHOLE and isinstance(value, int) and abs(value) < 2**31:
        return _WHOLE[name], value
    if name in _REAL and abs(value) < 2**53:
        return _REAL[name], float(value)
    if name in _TEXT and "\0" not in value and value.isprintable():
        return _TEXT[name], value
    return (_FLAG[name], value) if name in _FLAG else (None, None)
