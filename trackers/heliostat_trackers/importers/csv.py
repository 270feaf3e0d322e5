"""Tables: one row a run.

Columns::

    params.X            parameter X
    metrics.X           metric X; metrics.X.stddev its standard error
    metadata.X          a fact
    state               completed (default), early_stopped, failed, lost, cancelled, active
    end_reason          why it ended; failure: of which kind its failure was
    created, started, ended   seconds since the epoch, or ISO 8601 (UTC unless it names a zone)
    tags                separated by blanks or commas, or a list as JSON
    favorite, archived  true or false
    id, name, origin, project, model, source_hash, user

An empty cell is missing. What ``heliostat export --csv`` writes can be read again.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.imports import ImportedRun
from heliostat.trial import Failure, Measurement, State
from heliostat_trackers.importers.cells import cell, moment, number
from heliostat_trackers.importers.sources import existing, unreadable

PREFIXES = ("params.", "metrics.", "metadata.")
TIMES = ("created", "started", "ended")
TEXTS = ("model", "name", "origin", "project", "source_hash", "user")
FLAGS = ("archived", "favorite")
FACTS = ("id", "state", "end_reason", "failure", "tags", *TIMES, *TEXTS, *FLAGS)
EXPORTED = ("attempt", "experiment", "number", "searcher", "seconds", "task")
"""Columns of our own export that hold for the log they came from only."""

_ALIASES = {"complete": "completed", "finished": "completed", "pruned": "early_stopped", "running": "active"}


def read(source: str, *, params: Sequence[str] = (), metrics: Sequence[str] = ()) -> Iterator[ImportedRun]:
    """The rows of a table.

    A row is known again by its file's name (not its folder) and its ``id``; in a table without that column by
    what it says and, of equal rows, by which one it is.

    Args:
        source: Path of the file; UTF-8; separated by commas, semicolons or tabs.
        params: Columns that are parameters though their names do not say so.
        metrics: Columns that are metrics though their names do not say so.

    Raises:
        NotFound: There is no such file.
        InvalidValue: The columns are not those above, or a cell is not what its column holds; the error names
            them.
    """
    path = existing(source, "CSV file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            head = file.readline()
            rows = csv.reader(chain([head], file), delimiter=_separator(head), strict=True)
            names = [name.strip() for name in next(rows, [])]
            columns = _columns(names, params, metrics)
            seen: Counter[str] = Counter()
            # All of it before the first is given away: a bad cell must not leave half a table behind.
            found = [
                _run(path.name, _row(names, cells, rows.line_num), columns, seen, rows.line_num)
                for cells in rows
                if any(cell.strip() for cell in cells)
            ]
        except (csv.Error, UnicodeDecodeError) as error:
            raise unreadable(source, "a CSV file", error) from None
    yield from found


@dataclass(frozen=True)
class _Columns:
    """Column → name of what it holds, by kind."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    stddevs: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def _separator(head: str) -> str:
    return max(",;\t", key=head.count)


def _columns(names: list[str], params: Sequence[str], metrics: Sequence[str]) -> _Columns:
    _refuse(names, params, metrics)
    found = _Columns()
    for name in names:
        if name in params:
            found.params[name] = name.removeprefix("params.")
        elif name in metrics:
            found.metrics[name] = name.removeprefix("metrics.")
        elif name.startswith("params."):
            found.params[name] = name.removeprefix("params.")
        elif name.startswith("metadata."):
            found.metadata[name] = name.removeprefix("metadata.")
        elif (
            name.startswith("metrics.") and name.endswith(".stddev") and name.removesuffix(".stddev") in names
        ):
            found.stddevs[name] = name.removeprefix("metrics.").removesuffix(".stddev")
        elif name.startswith("metrics."):
            found.metrics[name] = name.removeprefix("metrics.")
    return found


def _refuse(names: list[str], params: Sequence[str], metrics: Sequence[str]) -> None:
    """Every column must be known, each once: a misspelt one must not be dropped without a word."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InvalidValue("columns", "must have different names", given=twice, remedy="Rename them.")
    absent = [name for name in (*params, *metrics) if name not in names]
    if absent:
        remedy = f"The file has: {', '.join(names) or 'no columns'}."
        raise InvalidValue("columns", "must be there", given=absent, remedy=remedy)
    known = {*FACTS, *EXPORTED, *params, *metrics}
    strange = [name for name in names if name not in known and not name.startswith(PREFIXES)]
    if strange or not names:
        remedy = "Say which are parameters and which metrics (--params a,b --metrics c), or rename them."
        rule = f"must be params.X, metrics.X, metrics.X.stddev, metadata.X or one of {', '.join(FACTS)}"
        raise InvalidValue("columns", rule, given=strange, remedy=remedy)


def _row(names: list[str], cells: list[str], line: int) -> dict[str, str]:
    if len(cells) > len(names):
        rule = f"has {len(names)} columns"
        raise InvalidValue(f"line {line}", rule, given=len(cells), remedy="Quote cells that hold separators.")
    return {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}


def _run(file: str, row: Mapping[str, str], columns: _Columns, seen: Counter[str], line: int) -> ImportedRun:
    state = _state(row.get("state"), line)
    reason = _text(row.get("end_reason", ""))
    given: dict[str, Any] = {name: _text(row[name]) for name in TEXTS if name in row}
    given |= {name: _time(row, name, line) for name in TIMES}
    given |= {name: cell(row[name]) is True for name in FLAGS if name in row}
    failure = None
    if state in (State.FAILED, State.LOST):
        kind = row.get("failure") or ("lost" if state is State.LOST else "user_error")
        failure = Failure(kind, reason or "failed; the table keeps no reason")
    return ImportedRun(
        key=_key(file, row, columns, seen),
        params={name: cell(row[column]) for column, name in columns.params.items() if column in row},
        values=_values(row, columns, line),
        state=state,
        reason=reason,
        failure=failure,
        metadata={name: cell(row[column]) for column, name in columns.metadata.items() if column in row},
        tags=_tags(row.get("tags", "")),
        **given,
    )


def _text(cell_text: str) -> str:
    """A text, which may be quoted as JSON lest it be taken for a number."""
    return str(cell(cell_text)) if cell_text.startswith('"') else cell_text


def _tags(text: str) -> list[str]:
    listed = cell(text) if text.startswith("[") else None
    return [str(tag) for tag in listed] if isinstance(listed, list) else text.replace(",", " ").split()


def _key(file: str, row: Mapping[str, str], columns: _Columns, seen: Counter[str]) -> str:
    given = {column: row[column] for column in columns.params if column in row}
    said = {"id": row["id"], **given} if "id" in row else dict(row)
    content = json.dumps([file, said], sort_keys=True)
    seen[content] += 1
    return f"{content} {seen[content]}"


def _values(row: Mapping[str, str], columns: _Columns, line: int) -> dict[str, Measurement]:
    errors = {name: _number(row, column, line) for column, name in columns.stddevs.items() if column in row}
    return {
        name: Measurement(_number(row, column, line), errors.get(name))
        for column, name in columns.metrics.items()
        if column in row
    }


def _number(row: Mapping[str, str], column: str, line: int) -> float:
    found = number(row[column])
    if found is None:
        rule = "must be a number"
        raise InvalidValue(
            f"line {line}, {column}", rule, given=row[column], remedy="Leave it empty if missing."
        )
    return found


def _time(row: Mapping[str, str], column: str, line: int) -> float | None:
    if column not in row:
        return None
    found = moment(row[column])
    if found is None:
        rule = "must be seconds since the epoch or an ISO 8601 date"
        raise InvalidValue(f"line {line}, {column}", rule, given=row[column])
    return found


def _state(text: str | None, line: int) -> State:
    plain = (text or "completed").strip().lower().replace(" ", "_").replace("-", "_")
    plain = _ALIASES.get(plain, plain)
    if plain not in {state.value for state in State}:
        rule = f"must be one of {', '.join(state.value for state in State)}"
        raise InvalidValue(f"line {line}, state", rule, given=text)
    return State(plain)
