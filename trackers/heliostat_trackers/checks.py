"""What must be true of every run log, whatever happened to its writers, its server and its disk."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NoReturn

from sqlalchemy import Connection, and_, func, inspect, select

from heliostat.errors import HeliostatError
from heliostat.experiment import read_experiment
from heliostat.trial import State
from heliostat_trackers.columns import free_value
from heliostat_trackers.faults import DATABASE_ERRORS
from heliostat_trackers.tables import (
    IDENTITY_KEY,
    checkpoints,
    events,
    experiments,
    file_contents,
    files,
    meta,
    metadata,
    report_contents,
    reports,
    runs,
    texts,
)

MOST = 20
"""Faults that one check tells of; the rest are counted."""

_JSON = {
    "projects": ("metadata",),
    "experiments": ("spec",),
    "runs": (
        "assignments", "values", "predicted", "failure", "metadata", "parameter_sources", "sources",
        "dev_metadata", "sys_metadata", "datasets", "tags",
    ),
    "suggestions": ("assignments", "metadata"),
    "events": ("body", "reply"),
}  # fmt: skip


def faults_in(connection: Connection) -> list[str]:
    """All that is wrong with a log of the present schema, in words; nothing if it is whole.

    Args:
        connection: In a transaction that sees one state.
    """
    found: list[str] = []
    for check in _CHECKS:
        try:
            own = list(check(connection))
        except DATABASE_ERRORS as error:
            cause = getattr(error, "orig", None) or error
            own = [f"{check.__name__.strip('_').replace('_', ' ')}: the database cannot tell: {cause}"]
        found += own if len(own) <= MOST else [*own[:MOST], f"… and {len(own) - MOST} more like these"]
    return found


def _pages(connection: Connection) -> Iterator[str]:
    """SQLite looks at every page and index itself; PostgreSQL does so at each reading."""
    if connection.dialect.name == "sqlite":
        for (text,) in connection.exec_driver_sql("PRAGMA integrity_check"):
            if text != "ok":
                yield f"damaged file: {text}"


def _schema(connection: Connection) -> Iterator[str]:
    looked = inspect(connection)
    there = set(looked.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield f"the table {table.name} is missing"
            continue
        columns = {column["name"] for column in looked.get_columns(table.name)}
        yield from (f"the column {table.name}.{name} is missing" for name in {*table.c.keys()} - columns)
    if connection.scalar(select(meta.c.value).where(meta.c.key == IDENTITY_KEY)) is None:
        yield "the log has no identity"


def _references(connection: Connection) -> Iterator[str]:
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            own, other = key.parent, key.column
            where = and_(own.is_not(None), other.is_(None))
            lost = select(own).select_from(table.outerjoin(other.table, own == other)).where(where)
            for (value,) in connection.execute(lost.distinct()):
                yield f"{table.name}.{own.name} names {value!r}, which {other.table.name} does not have"


def _json(connection: Connection) -> Iterator[str]:
    for name, columns in _JSON.items():
        table = metadata.tables[name]
        (key,) = table.primary_key
        chosen = select(key, *(table.c[column] for column in columns)).order_by(key)
        for id, *found in connection.execute(chosen, execution_options={"yield_per": 1000}):
            for column, value in zip(columns, found, strict=True):
                try:
                    None if value is None else json.loads(value, parse_constant=_no_json)
                except (TypeError, ValueError) as error:
                    yield f"row {id} of {name}: {column} is no JSON ({error})"


def _declarations(connection: Connection) -> Iterator[str]:
    for id, spec in connection.execute(select(experiments.c.id, experiments.c.spec)):
        try:
            read_experiment(free_value(spec))
        except (HeliostatError, ValueError, TypeError) as error:
            yield f"experiment {id}: its declaration cannot be read ({error})"


def _numbers(connection: Connection) -> Iterator[str]:
    grouped = (
        select(runs.c.experiment, func.count(), func.min(runs.c.number), func.max(runs.c.number))
        .where(runs.c.experiment.is_not(None))
        .group_by(runs.c.experiment)
    )
    for experiment, count, lowest, highest in connection.execute(grouped):
        if (lowest, highest) != (1, count):
            yield f"experiment {experiment}: {count} runs have numbers from {lowest} to {highest}"


def _ends(connection: Connection) -> Iterator[str]:
    known = {state.value for state in State}
    for id, state, ended in connection.execute(select(runs.c.id, runs.c.state, runs.c.ended)):
        if state not in known:
            yield f"run {id}: there is no state {state!r}"
        elif (ended is None) != (state == State.ACTIVE.value):
            yield f"run {id} is {state}, and its time of ending is {ended}"


def _attempts(connection: Connection) -> Iterator[str]:
    for table in (checkpoints, texts):
        late = select(table.c.run).join(runs, table.c.run == runs.c.id)
        for (run,) in connection.execute(late.where(table.c.attempt > runs.c.attempt).distinct()):
            yield f"run {run}: {table.name} of an attempt that has not begun"


def _keys(connection: Connection) -> Iterator[str]:
    # Counted over the rows: a damaged index may not know of the second one.
    twice = select(func.max(events.c.key + "")).group_by(events.c.key + "").having(func.count() > 1)
    for (key,) in connection.execute(twice):
        yield f"the key {key!r} was applied twice"


def _events(connection: Connection) -> Iterator[str]:
    """Each event tells of something that is there, and its reply of the same thing."""
    known_runs = set(connection.scalars(select(runs.c.id)))
    known_experiments = set(connection.scalars(select(experiments.c.id)))
    columns = (events.c.seq, events.c.kind, events.c.experiment, events.c.run, events.c.reply)
    for seq, kind, experiment, run, reply in connection.execute(
        select(*columns).order_by(events.c.seq), execution_options={"yield_per": 1000}
    ):
        if run is not None and run not in known_runs:
            yield f"event {seq} ({kind}): there is no run {run}"
        if experiment is not None and experiment not in known_experiments:
            yield f"event {seq} ({kind}): there is no experiment {experiment}"
        answered = _object(reply)
        if (answered.get("run"), answered.get("experiment")) != (run, experiment):
            yield f"event {seq} ({kind}): its reply tells of another run or experiment"


def _origins(connection: Connection) -> Iterator[str]:
    """Each run was made by one event, and the runs of an experiment in the order of their numbers."""
    made = (
        select(events.c.run, events.c.experiment, events.c.reply)
        .where(events.c.kind == "CreateRun")
        .order_by(events.c.experiment, events.c.seq)
    )
    origins: dict[int, int] = {}
    for experiment, rows in groupby(connection.execute(made), itemgetter(1)):
        for place, (run, _, reply) in enumerate(rows, 1):
            origins[run] = origins.get(run, 0) + 1
            number = _object(reply).get("number")
            if number != (place if experiment is not None else 0):
                yield f"run {run}: it was made as number {number}, at place {place} of its experiment"
    for id in connection.scalars(select(runs.c.id)):
        if origins.get(id) != 1:
            yield f"run {id} was made by {origins.get(id, 0)} events"


def _contents(connection: Connection) -> Iterator[str]:
    for listed, contents, what in ((files, file_contents, "file"), (reports, report_contents, "report")):
        rows = connection.execute(
            select(listed.c.id, listed.c.size, listed.c.md5).order_by(listed.c.id)
        ).all()
        for id, size, md5 in rows:
            content = connection.scalar(select(contents.c.content).where(contents.c[what] == id))
            if content is None or len(content) != size:
                yield f"{what} {id}: its content is missing or cut short"
            elif base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode() != md5:
                yield f"{what} {id}: its content has changed"


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:  # another check tells of it
        return {}
    return value if isinstance(value, dict) else {}


_CHECKS: tuple[Callable[[Connection], Iterator[str]], ...] = (
    _pages,
    _schema,
    _references,
    _json,
    _declarations,
    _numbers,
    _ends,
    _attempts,
    _keys,
    _events,
    _origins,
    _contents,
)
