"""Searching runs, experiments and models: filter strings, orders and pages as MLflow has them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from heliostat.errors import InvalidValue, NotFound
from heliostat.ports import ProjectRecord
from heliostat.query import And, Condition, Filter, Or
from heliostat.service.mlflow import facts, fields, identities, views
from heliostat.service.mlflow.comparisons import (
    ATTRIBUTE,
    DATASET,
    METRIC,
    PARAM,
    TAG,
    Comparison,
    Names,
    Order,
    matches,
)
from heliostat.service.mlflow.datasets import dataset_inputs
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.filters import read_order
from heliostat.trial import Run

Item = TypeVar("Item")
Look = Callable[[Item, str, str], Any]
"""Gives an item's value by family and key, ``None`` where it has none."""

VIEWS = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")
MOST = 50_000
"""Items of one page at most."""

MOST_ORDERS = 100

RUN_NAMES = Names(
    texts=frozenset(("run_id", "run_name", "status", "user_id", "artifact_uri")),
    numbers=frozenset(("start_time", "end_time")),
    families=frozenset((METRIC, PARAM, TAG, DATASET)),
    aliases={
        **dict.fromkeys(("created", "Created"), "start_time"),
        **dict.fromkeys(("run name", "Run name", "Run Name"), "run_name"),
    },
)
EXPERIMENT_NAMES = Names(
    texts=frozenset(("name", "experiment_id")),
    numbers=frozenset(("creation_time", "last_update_time")),
    families=frozenset((TAG,)),
    aliases={},
)


def look_run(run: Run, project: ProjectRecord, identity: str) -> Callable[[str, str], Any]:
    """A run's values by family and key, each family made when it is first asked for."""
    made: dict[str, Any] = {}
    makers: dict[str, Callable[[], Any]] = {
        METRIC: lambda: views.metric_values(run),
        PARAM: lambda: facts.params_of(run),
        TAG: lambda: facts.tags_of(run),
        ATTRIBUTE: lambda: views.run_info(run, project, identity),
        DATASET: lambda: _datasets(run),
    }

    def look(family: str, key: str) -> Any:
        if family not in made:
            made[family] = makers[family]()
        return made[family].get(key)

    return look


def look_experiment(project: ProjectRecord) -> Callable[[str, str], Any]:
    """An experiment's values by family and key."""
    shown = views.experiment_object(project)
    tags = views.experiment_tags(project)
    return lambda family, key: (tags if family == TAG else shown).get(key)


def narrowed(comparisons: Iterable[Comparison], identity: str) -> Condition | None:
    """What the log itself can say about the comparisons: true of every run that matches, and of others."""
    found: list[Condition] = []
    for item in comparisons:
        if item.family == METRIC and not item.key.endswith((".stddev", ".value", ".value_stddev")):
            sign = "==" if item.sign == "=" else item.sign
            found.append(Filter(f"values.{item.key}.value", sign, item.value))
        elif (item.family, item.key) == (ATTRIBUTE, "run_id") and item.sign in ("=", "IN"):
            wanted = [item.value] if item.sign == "=" else item.value
            ids = [id for uuid in wanted if (id := _run_of(identity, uuid)) is not None]
            found.append(Or(tuple(Filter("id", "==", id) for id in ids)))
    return And(tuple(found)) if found else None


def chosen(
    items: Sequence[tuple[Item, Callable[[str, str], Any]]],
    comparisons: Sequence[Comparison],
    orders: Sequence[Order],
) -> list[Item]:
    """The items that match, in order; what lacks a value comes last in both directions.

    Args:
        items: Each with its values, in the order that decides between equals.
        comparisons: All must hold.
        orders: The first one counts most.
    """
    found = [
        (item, look)
        for item, look in items
        if all(matches(test, look(test.family, test.key)) for test in comparisons)
    ]
    for order in reversed(orders):
        known: list[tuple[Any, Any]] = []
        missing: list[tuple[Any, Any]] = []
        for pair in found:
            value = pair[1](order.family, order.key)
            (missing if value is None or isinstance(value, (list, dict)) else known).append((value, pair))
        known.sort(key=lambda entry: entry[0], reverse=not order.ascending)
        found = [pair for _, pair in (*known, *missing)]
    return [item for item, _ in found]


def read_orders(data: Data, names: Names) -> list[Order]:
    """The orders that a request names."""
    return [read_order(text, names) for text in fields.texts(data, "order_by", most=MOST_ORDERS)]


def page(found: Sequence[Item], data: Data, *, default: int) -> tuple[Sequence[Item], dict[str, str]]:
    """The items of the page that a request wants, and the token of the next page if there is one.

    Raises:
        InvalidValue: The size or the token is wrong.
    """
    size = fields.integer(data, "max_results")
    size = default if size is None else size
    if not 0 <= size <= MOST:
        raise InvalidValue("max_results", f"must be between 0 and {MOST}", given=size)
    start = _offset(fields.text(data, "page_token") or "")
    end = start + size
    token = {"next_page_token": _token(end)} if end < len(found) and size else {}
    return found[start:end], token


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"offset": offset}).encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        offset = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))["offset"]
    except (ValueError, TypeError, KeyError, RecursionError):
        offset = None
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < 2**53:
        raise InvalidValue("page_token", "must be one that a page before this one gave", given=token)
    return offset


def _datasets(run: Run) -> Mapping[str, list[str]]:
    used = dataset_inputs(run)
    contexts = [tag["value"] for item in used for tag in item["tags"] if tag["key"] == "mlflow.data.context"]
    return {
        "name": [item["dataset"]["name"] for item in used],
        "digest": [item["dataset"]["digest"] for item in used],
        "context": contexts,
    }


def _run_of(identity: str, uuid: str) -> int | None:
    try:
        return identities.run_of(identity, uuid)
    except NotFound:
        return None
