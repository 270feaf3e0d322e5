"""Questions to the run log, each a fixed number of statements however many runs there are."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select

from heliostat.errors import no_experiment, no_run
from heliostat.experiment import read_experiment
from heliostat.garbage import collected_later
from heliostat.ports import Event, ExperimentRecord
from heliostat.trial import Checkpoint, LateMeasurement, Run
from heliostat_trackers.columns import free_value
from heliostat_trackers.run_rows import COLUMNS, run_of, runs_of
from heliostat_trackers.tables import checkpoints, events, experiments, late_values, metric_names, runs

_PLACE = itemgetter(0, 1)
_Late = dict[str, dict[str, list[LateMeasurement]]]

_EXPERIMENTS = select(
    experiments.c.id,
    experiments.c.spec,
    experiments.c.created,
    experiments.c.epoch,
    experiments.c.updated,
    experiments.c.archived,
).order_by(experiments.c.id)
_COUNTS = select(runs.c.experiment, runs.c.state, func.count()).group_by(runs.c.experiment, runs.c.state)
_RUNS = select(*COLUMNS).order_by(runs.c.id)
_POINTS = (
    select(
        checkpoints.c.run,
        checkpoints.c.step,
        metric_names.c.name,
        checkpoints.c.value,
        checkpoints.c.time,
    )
    .join(runs, and_(checkpoints.c.run == runs.c.id, checkpoints.c.attempt == runs.c.attempt))
    .join(metric_names, checkpoints.c.metric == metric_names.c.id)
    .order_by(checkpoints.c.run, checkpoints.c.step, checkpoints.c.metric)
)
_LATE = (
    select(
        late_values.c.run,
        late_values.c.role,
        metric_names.c.name,
        late_values.c.at,
        late_values.c.value,
        late_values.c.stddev,
    )
    .join(runs, late_values.c.run == runs.c.id)
    .join(metric_names, late_values.c.metric == metric_names.c.id)
    .order_by(late_values.c.run, late_values.c.role, metric_names.c.name, late_values.c.at)
)
_EVENTS = (
    select(events.c.seq, events.c.time, events.c.kind, events.c.experiment, events.c.run, events.c.body)
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)


def read_records(connection: Connection, project: str | None) -> list[ExperimentRecord]:
    """All experiments, or those of a project, oldest first."""
    statement = _EXPERIMENTS
    if project is not None:
        statement = statement.where(experiments.c.project == project)
    return list(_records(connection, statement, _COUNTS.where(runs.c.experiment.is_not(None))))


def read_record(connection: Connection, id: int) -> ExperimentRecord:
    """One experiment.

    Raises:
        NotFound: No such experiment.
    """
    statement = _EXPERIMENTS.where(experiments.c.id == id)
    for record in _records(connection, statement, _COUNTS.where(runs.c.experiment == id)):
        return record
    raise no_experiment(id)


def read_runs(
    connection: Connection, experiment: int | None, *, project: str | None, curves: bool
) -> list[Run]:
    """Runs by creation order, with curves on demand."""
    where: list[ColumnElement[bool]] = []
    if experiment is not None:
        where.append(runs.c.experiment == experiment)
    if project is not None:
        where.append(runs.c.project == project)
    rows = connection.execute(_RUNS.where(*where)).all()
    drawn = _curves(connection, _POINTS.where(*where)) if curves else {}
    late = _late(connection, _LATE.where(*where))
    return runs_of(rows, drawn, late)


def read_run(connection: Connection, id: int) -> Run:
    """One run with its curve.

    Raises:
        NotFound: No such run.
    """
    row = connection.execute(_RUNS.where(runs.c.id == id)).first()
    if row is None:
        raise no_run(id)
    curve = _curves(connection, _POINTS.where(checkpoints.c.run == id)).get(id, ())
    return run_of(row, curve, _late(connection, _LATE.where(late_values.c.run == id)).get(id, {}))


def read_events(
    connection: Connection,
    after: int,
    limit: int,
    experiment: int | None = None,
    kinds: Sequence[str] | None = None,
) -> list[Event]:
    """Up to `limit` events after a place in the log, of one experiment or of some kinds on demand."""
    statement = _EVENTS
    if experiment is not None:
        statement = statement.where(events.c.experiment == experiment)
    if kinds is not None:
        statement = statement.where(events.c.kind.in_(list(kinds)))
    rows = connection.execute(statement, {"after": after, "most": max(limit, 0)})
    return [Event(row.seq, row.time, row.kind, row.experiment, row.run, json.loads(row.body)) for row in rows]


def read_last_event(connection: Connection, experiment: int | None) -> int:
    """The place of the last event, of one experiment on demand; 0 if there is none."""
    statement = select(events.c.seq).order_by(events.c.seq.desc()).limit(1)
    if experiment is not None:
        statement = statement.where(events.c.experiment == experiment)
    return int(connection.scalar(statement) or 0)


def _records(
    connection: Connection, statement: Select[Any], counted: Select[Any]
) -> Iterator[ExperimentRecord]:
    counts: dict[int, Counter[str]] = {}
    for experiment, state, count in connection.execute(counted):
        counts.setdefault(experiment, Counter())[state] = count
    for row in connection.execute(statement):
        spec = read_experiment(free_value(row.spec))
        counted_runs = counts.get(row.id, Counter())
        yield ExperimentRecord(
            row.id, spec, row.created, row.epoch, counted_runs, row.updated, bool(row.archived)
        )


def _curves(connection: Connection, statement: Select[Any]) -> dict[int, tuple[Checkpoint, ...]]:
    with collected_later():
        found: dict[int, list[Checkpoint]] = {}
        points = connection.execute(statement).all()
        for (run, step), rows in groupby(points, _PLACE):
            found.setdefault(run, []).append(_point(step, rows))
        return {run: tuple(curve) for run, curve in found.items()}


def _point(step: int, rows: Iterable[Any]) -> Checkpoint:
    values, latest = {}, -math.inf
    for _, _, name, value, time in rows:
        values[name] = math.nan if value is None else value
        latest = max(latest, time)
    return Checkpoint(step, values, latest)


def _late(connection: Connection, statement: Select[Any]) -> dict[int, _Late]:
    found: dict[int, _Late] = {}
    for run, role, name, at, value, stddev in connection.execute(statement):
        values = found.setdefault(run, {}).setdefault(role, {}).setdefault(name, [])
        values.append(LateMeasurement(math.nan if value is None else value, at, stddev))
    return found
