"""A view of the run table that MLflow's pages offer under "Views": our columns, sorted by the first metric.

MLflow's own table shows neither metrics nor params until somebody picks them. Its pages keep saved views in
tags of the experiment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat_trackers.mlflow import wording

VIEW = "heliostat"
TAG = f"mlflow.sharedViewState.{VIEW}"

_MOST_COLUMNS = 30
"""Of metrics, and of params; more would be no table that somebody reads."""

_FACTS = ("heliostat.origin", "heliostat.state")
_FIRST = {"attributes.`Run Name`": 150, "runDateAndNestInfo": 150}
_LAST = {"attributes.`Duration`": 90, "attributes.`Dataset`": 180}
_WIDTH = 110
"""Pixels; with MLflow's own widths and order no metric is in sight on a laptop."""


@dataclass(frozen=True)
class Columns:
    """What the table shows.

    Args:
        metrics: Names, the one to sort by first.
        params: Names.
        is_ascending: Whether the smallest value stands on top; ``None`` sorts by age.
    """

    metrics: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    is_ascending: bool | None = None

    def joined(self, metrics: Iterable[str], params: Iterable[str]) -> Columns:
        """With more columns, each once, while there is room."""
        return Columns(_joined(self.metrics, metrics), _joined(self.params, params), self.is_ascending)


def view_tag(columns: Columns, created: int) -> str:
    """The tag's value.

    Args:
        columns: What the table shows.
        created: Milliseconds since the epoch.
    """
    told = {"name": "Heliostat", "createdAt": created, "updatedAt": created}
    for most in (_MOST_COLUMNS, 10, 3, 0):
        state = json.dumps(_state(columns, most), ensure_ascii=False)
        tag = json.dumps({**told, "state": state}, ensure_ascii=False)
        if len(tag) <= wording.LONGEST_EXPERIMENT_TAG:
            break
    return tag


def columns_of(tag: str) -> Columns:
    """The metrics and params that a view shows, as MLflow names them; none if it cannot be read."""
    try:
        shown = json.loads(json.loads(tag)["state"])["selectedColumns"]
        pairs = [name.rstrip("`").split(".`", 1) for name in shown]
        metrics, params = (
            tuple(pair[1] for pair in pairs if pair[0] == kind) for kind in ("metrics", "params")
        )
        return Columns(metrics, params)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return Columns()


def address(server: str, shelf: str) -> str:
    """Where to look at the runs: without the parameters, MLflow 3 opens its pages for language models."""
    return f"{server}/#/experiments/{shelf}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"


def _joined(first: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    found = dict.fromkeys([*first, *(wording.plain_name(name) for name in more)])
    return tuple(found)[:_MOST_COLUMNS]


def _state(columns: Columns, most: int) -> dict[str, Any]:
    """The table's state in the words of MLflow's pages."""
    metrics = _column_names("metrics", columns.metrics[:most])
    ours = [*metrics, *_column_names("params", columns.params[:most]), *_column_names("tags", _FACTS)]
    widths = {**_FIRST, **dict.fromkeys(ours, _WIDTH), **_LAST}
    state: dict[str, Any] = {
        "selectedColumns": [*ours, *_LAST],
        "columnOrder": list(widths),
        "columnWidths": widths,
    }
    if columns.is_ascending is not None and metrics:
        state |= {"orderByKey": metrics[0], "orderByAsc": columns.is_ascending}
    return state


def _column_names(kind: str, names: Sequence[str]) -> list[str]:
    return [f"{kind}.`{wording.plain_name(name)}`" for name in names]
