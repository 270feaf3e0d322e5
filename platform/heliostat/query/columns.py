"""Runs as columns: one list a column, the same names for runs of every origin.

The facts, ``tags`` among them, under the labels of :mod:`heliostat.query.fields`; then ``params.X``,
``metrics.X``, ``metrics.X.stddev`` where any run has one, and ``metadata.X``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from heliostat.query.fields import field
from heliostat.trial import Run

FACTS = (
    "id", "experiment", "project", "number", "name", "state", "origin", "searcher", "task", "user", "attempt",
    "created", "started", "ended", "seconds", "end_reason", "failure", "model", "source_hash", "favorite",
    "archived", "tags",
)  # fmt: skip
TIMES = ("created", "started", "ended")


def columns(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """All columns of some runs; ``None`` where a run has no value.

    A metric that is itself called ``X.stddev`` keeps its column; the standard error of X then has none.
    """
    found = {name: field(name).read_all(runs) for name in FACTS}
    found |= _spread("params.", [run.assignments for run in runs])
    measured = [run.values for run in runs]
    for name in _names(measured):
        own = [values.get(name) for values in measured]
        found[f"metrics.{name}"] = [None if item is None else item.value for item in own]
        errors = [None if item is None else item.stddev for item in own]
        if errors.count(None) < len(errors):
            found.setdefault(f"metrics.{name}.stddev", errors)
    return found | _spread("metadata.", [run.metadata for run in runs])


def _spread(prefix: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = _names(rows)
    if not names:
        return {}
    try:  # row by row, while a row is near in memory; with one name alone the getter returns no tuple
        *found, _ = map(list, zip(*map(itemgetter(*names, names[0]), rows), strict=True))
    except KeyError:
        found = [[row.get(name) for row in rows] for name in names]
    return {f"{prefix}{name}": values for name, values in zip(names, found, strict=True)}


def _names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(set().union(*rows))
