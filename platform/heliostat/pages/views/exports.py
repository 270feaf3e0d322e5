"""Runs as CSV, JSON and Parquet, with the columns of a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from heliostat.frames import parquet_bytes
from heliostat.pages.views.table import Table
from heliostat.query import field
from heliostat.trial import Run


def as_csv(found: Table, runs: Sequence[Run]) -> str:
    """All matching runs with the table's columns, as CSV; texts that a spreadsheet would run are defused."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_defused(column.name) for column in found.columns])
    for run in runs:
        writer.writerow([_defused(_plain(run, column.name)) for column in found.columns])
    return out.getvalue()


def as_json(found: Table, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """All matching runs with the table's columns; numbers that JSON lacks become their names."""
    return [{column.name: _jsonable(_plain(run, column.name)) for column in found.columns} for run in runs]


def as_parquet(found: Table, runs: Sequence[Run]) -> bytes:
    """All matching runs with the table's columns, each of its own type."""
    return parquet_bytes(runs, [field(column.name).label for column in found.columns])


def _plain(run: Run, name: str) -> Any:
    value = field(name).read(run)
    if isinstance(value, (tuple, list, set, frozenset, Mapping)):
        return ", ".join(str(item) for item in sorted(value, key=str))
    return value


def _jsonable(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _defused(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
