"""Data frames into the run log: each row becomes a run that has ended."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.errors import InvalidValue
from heliostat.outcome import measurement
from heliostat.ports import RunLog
from heliostat.query import FACTS, TIMES
from heliostat.registry import default_project, shared_log
from heliostat.trial import Failure, Measurement, State
from heliostat.writes import CreateRun, FinishRun, Reply, StartRun, UpdateRun, Write

if TYPE_CHECKING:
    import pandas as pd

REASON = "recorded from a data frame"
_BATCH = 500
_FAMILIES = ("params", "metrics", "metadata")
_TEXTS = (
    "name",
    "origin",
    "searcher",
    "task",
    "user",
    "end_reason",
    "failure",
    "model",
    "source_hash",
    "project",
)


@dataclass
class _Row:
    """One row, sorted out."""

    params: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Measurement] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def log_frame(
    frame: pd.DataFrame,
    *,
    origin: str | None = None,
    project: str | None = None,
    experiment: int | None = None,
    params: Sequence[str] = (),
    metrics: Sequence[str] = (),
    metadata: Sequence[str] = (),
    log: RunLog | str | Path | None = None,
    clock: Callable[[], float] = time.time,
) -> list[int]:
    """Record each row of a data frame as a run, completed unless a column ``state`` says otherwise.

    Columns are understood as :func:`heliostat.runs` names them (``params.X``, ``metrics.X``,
    ``metrics.X.stddev``, ``metadata.X``, and facts such as ``name``, ``tags``, ``created``), or as the lists
    say. Empty cells and NaN are not recorded. Everything is checked before anything is written; every call
    makes new runs, with identities and numbers of their own.

    Args:
        frame: One row a run.
        origin: Who proposed the runs; by default what the column ``origin`` says, else ``user``.
        project: Where they go; by default what the column ``project`` says, else this folder's project.
        experiment: The experiment they belong to.
        params: Columns that are parameters.
        metrics: Columns that are metrics.
        metadata: Columns that are facts.
        log: An open run log, its path or URL; by default this process's.
        clock: Seconds since the epoch, for rows without times.

    Returns:
        The identities of the runs, in the order of the rows.

    Raises:
        InvalidValue: A column is not understood, or a cell does not suit its column.
        NotFound: No such experiment.
    """
    listed = {"params": params, "metrics": metrics, "metadata": metadata}
    rows = _rows(frame, {name: family for family, names in listed.items() for name in names})
    target = shared_log(log) if log is None or isinstance(log, (str, Path)) else log
    given = {"origin": origin, "project": project, "experiment": experiment}
    ids: list[int] = []
    for start in range(0, len(rows), _BATCH):
        ids += _record(target, rows[start : start + _BATCH], given, clock())
    return ids


def _rows(frame: pd.DataFrame, families: Mapping[str, str]) -> list[_Row]:
    names = [str(name) for name in frame.columns]
    _check_names(names, families)
    rows = [_Row() for _ in range(len(frame))]
    errors: dict[str, list[Any]] = {}
    for place, name in enumerate(names):
        cells = [_plain(value) for value in frame.iloc[:, place].tolist()]
        family, key = _family(name, names, families)
        if family == "stddev":
            errors[key] = cells
            continue
        for number, (row, value) in enumerate(zip(rows, cells, strict=True)):
            if value is not None:
                _put(row, family, key, value, f"row {number}, column {name}")
    for name, cells in errors.items():
        for number, (row, value) in enumerate(zip(rows, cells, strict=True)):
            if value is not None and name in row.values:
                where = f"row {number}, column metrics.{name}"
                row.values[name] = measurement((row.values[name].value, value), where)
    return rows


def _check_names(names: Sequence[str], families: Mapping[str, str]) -> None:
    absent = sorted(set(families) - set(names))
    if absent:
        raise InvalidValue("frame", "must have the columns that are listed", given=absent)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidValue("frame", "columns must have names of their own", given=twice)
    known = {*FACTS, "updated", *families}
    unknown = [
        name
        for name in names
        if name not in known and not name.startswith(tuple(f"{family}." for family in _FAMILIES))
    ]
    if unknown:
        rule = "columns must be facts, params.X, metrics.X or metadata.X, or be listed"
        remedy = "Pass params=[…], metrics=[…], metadata=[…], or drop them: frame.drop(columns=[…])."
        raise InvalidValue("frame", rule, given=unknown, remedy=remedy)


def _family(name: str, names: Sequence[str], families: Mapping[str, str]) -> tuple[str, str]:
    if name in families:
        return families[name], name
    family, _, key = name.partition(".")
    if family not in _FAMILIES or not key:
        return "facts", name
    if family == "metrics" and key.endswith(".stddev") and name.removesuffix(".stddev") in names:
        return "stddev", key.removesuffix(".stddev")
    return family, key


def _plain(value: Any) -> Any:
    """A cell as a plain value, ``None`` if it is empty."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (pd.Timestamp, pd.Timedelta)):
        return value
    if hasattr(value, "tolist"):
        value = value.tolist()
    return None if isinstance(value, float) and math.isnan(value) else value


def _put(row: _Row, family: str, key: str, value: Any, where: str) -> None:
    if family == "metrics":
        row.values[key] = measurement(value, where)
    elif family == "facts":
        row.facts[key] = _fact(key, value, where)
    else:
        is_time = hasattr(value, "isoformat")
        (row.params if family == "params" else row.metadata)[key] = value.isoformat() if is_time else value


def _fact(name: str, value: Any, where: str) -> Any:
    if name == "state":
        ends = [str(state) for state in State if not state.is_open]
        if value not in ends:
            remedy = "Leave such rows out: frame[frame.state != 'active']."
            raise InvalidValue(where, f"must be one of {', '.join(ends)}", given=value, remedy=remedy)
        return State(value)
    if name in TIMES:
        return float(value.timestamp()) if hasattr(value, "timestamp") else measurement(value, where).value
    if name == "tags":
        return (value,) if isinstance(value, str) else tuple(str(tag) for tag in value)
    return str(value) if name in _TEXTS else value


def _record(log: RunLog, rows: Sequence[_Row], given: Mapping[str, Any], now: float) -> list[int]:
    waiting = [log.submit(_created(row, given, now)) for row in rows]
    ids = [reply.run for reply in (future.result() for future in waiting) if reply.run is not None]
    ends: list[Future[Reply]] = []
    for id, row in zip(ids, rows, strict=True):
        ends += [log.submit(write) for write in _told(id, row, now)]
    for future in ends:
        future.result()
    return ids


def _created(row: _Row, given: Mapping[str, Any], now: float) -> CreateRun:
    facts = row.facts
    return CreateRun(
        given["experiment"],
        row.params,
        time=facts.get("created", now),
        project=given["project"] or facts.get("project") or default_project(),
        name=facts.get("name", ""),
        task=facts.get("task"),
        origin=given["origin"] or facts.get("origin") or "user",
        searcher=facts.get("searcher", ""),
        metadata=row.metadata,
        user=facts.get("user", ""),
    )


def _told(run: int, row: _Row, now: float) -> Iterator[Write]:
    facts = row.facts
    if "started" in facts:
        yield StartRun(run, time=facts["started"])
    ended = facts.get("ended", now)
    if any(facts.get(name) for name in ("tags", "model", "source_hash", "favorite", "archived")):
        yield UpdateRun(
            run,
            time=ended,
            tags=dict.fromkeys(facts.get("tags", ()), True),
            model=facts.get("model"),
            source_hash=facts.get("source_hash"),
            favorite=facts.get("favorite"),
            archived=facts.get("archived"),
        )
    failure = Failure(facts["failure"], facts.get("end_reason", "")) if "failure" in facts else None
    state, reason = facts.get("state", State.COMPLETED), facts.get("end_reason", REASON)
    yield FinishRun(run, state, reason, time=ended, values=row.values, failure=failure)
