"""Datasets that a run read: MLflow knows them by name and digest, our runs by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.service.mlflow import fields
from heliostat.service.mlflow.fields import Data
from heliostat.trial import Run

CONTEXT = "mlflow.data.context"
"""MLflow's tag that says what a dataset was used for."""

MOST = 1000
_LONGEST = {"digest": 36, "source_type": 500, "source": 65_535, "schema": 1_048_575, "profile": 4_194_303}
_REQUIRED = ("digest", "source_type", "source")


def dataset_changes(run: Run, inputs: Sequence[Data]) -> dict[str, dict[str, Any]]:
    """What to lay over the run's datasets.

    Two datasets of one name are told apart by their digest: the second one is called ``NAME (DIGEST)``.

    Raises:
        InvalidValue: A dataset lacks a field, or has a wrong one.
    """
    known: dict[str, Mapping[str, Any]] = dict(run.datasets)
    changes: dict[str, dict[str, Any]] = {}
    for place, item in enumerate(inputs):
        data = item.get("dataset")
        if not isinstance(data, dict):
            raise InvalidValue(f"datasets[{place}].dataset", "must be an object", given=data)
        name = fields.required_text(data, "name", longest=500)
        found: dict[str, Any] = {key: fields.text(data, key, longest=most) for key, most in _LONGEST.items()}
        for key in _REQUIRED:
            fields.required_text(data, key)
        tags = _tags(item)
        found |= {"context": tags.pop(CONTEXT, None), "tags": tags or None, "name": name}
        label = name
        if label in known and known[label].get("digest") != found["digest"]:
            label = f"{name} ({found['digest']})"
        known[label] = changes[label] = {key: value for key, value in found.items() if value is not None}
    return changes


def dataset_inputs(run: Run) -> list[dict[str, Any]]:
    """A run's datasets as MLflow writes them."""
    return [_input(label, facts) for label, facts in run.datasets.items()]


def _input(label: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: str(facts[key]) for key in _LONGEST if facts.get(key) is not None}
    source = str(facts.get("source") or facts.get("url") or facts.get("path") or label)
    defaults = {"digest": str(facts.get("md5") or facts.get("hash") or "")[:36], "source_type": "heliostat"}
    context = facts.get("context")
    own = facts.get("tags")
    tags = {str(key): str(value) for key, value in own.items()} if isinstance(own, Mapping) else {}
    if context:
        tags[CONTEXT] = str(context)
    return {
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "dataset": {"name": str(facts.get("name") or label), **defaults, "source": source, **told},
    }


def _tags(item: Data) -> dict[str, str]:
    return {
        fields.required_text(tag, "key", longest=255): fields.text(tag, "value", longest=500) or ""
        for tag in fields.objects(item, "tags", most=100)
    }
