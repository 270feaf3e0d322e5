"""Logged models: what MLflow 3 calls a model that a run made. Autologging makes one of each fit.

A model belongs to the run that made it and lives among the run's system facts; its files are files of the
run. The registry of models, with its names, versions and stages, is not carried.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.service.mlflow import fields, identities
from heliostat.service.mlflow.comparisons import METRIC, PARAM, TAG, Names
from heliostat.service.mlflow.fields import Data
from heliostat.trial import Run

MODEL = "mlflow.model."
"""Prefix of the system facts that hold a model each."""

INPUTS, OUTPUTS = "mlflow.inputs", "mlflow.outputs"
MODELS_TAG = "mlflow.log-model.history"
PENDING = "LOGGED_MODEL_PENDING"
STATUSES = (PENDING, "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")

MOST_PARAMS = 1000

MODEL_NAMES = Names(
    texts=frozenset(("name", "model_id", "model_type", "status", "source_run_id")),
    numbers=frozenset(("creation_timestamp_ms", "last_updated_timestamp_ms")),
    families=frozenset((PARAM, TAG, METRIC)),
    aliases={
        **dict.fromkeys(("creation_timestamp", "creation_time"), "creation_timestamp_ms"),
        **dict.fromkeys(("last_updated_timestamp", "last_updated_time"), "last_updated_timestamp_ms"),
    },
)


def new_model(run: Run, data: Data, identity: str, now: float) -> tuple[str, dict[str, Any]]:
    """Identity and facts of the model that a request wants made; while pending, a repeat is the same one."""
    facts = {
        "name": fields.text(data, "name", longest=500) or "model",
        "type": fields.text(data, "model_type", longest=500) or "",
        "params": pairs(data, "params"),
        "tags": pairs(data, "tags"),
    }
    done = sum(1 for item in models_of(run).values() if item["status"] != PENDING)
    content = json.dumps([run.id, done, facts], sort_keys=True).encode()
    id = identities.model_id(identity, run.id, blake2b(content, digest_size=8).digest())
    milliseconds = round(now * 1000)
    return id, {**facts, "status": PENDING, "created": milliseconds, "updated": milliseconds}


def models_of(run: Run) -> dict[str, Mapping[str, Any]]:
    """A run's models by identity."""
    return {
        name.removeprefix(MODEL): facts
        for name, facts in run.sys_metadata.items()
        if name.startswith(MODEL) and isinstance(facts, Mapping)
    }


def model_of(run: Run, id: str) -> Mapping[str, Any]:
    """One of a run's models.

    Raises:
        NotFound: The run has no such model.
    """
    found = models_of(run).get(id)
    if found is None:
        raise identities.no_model(id)
    return found


def model_object(run: Run, id: str, identity: str, location: str) -> dict[str, Any]:
    """A model as MLflow writes it.

    Args:
        run: The run that it belongs to.
        id: Its identity.
        identity: The log's.
        location: Where the artifacts of its experiment lie.
    """
    facts = model_of(run, id)
    info = {
        "model_id": id,
        "experiment_id": identities.experiment_of(run.project),
        "name": facts["name"],
        "creation_timestamp_ms": facts["created"],
        "last_updated_timestamp_ms": facts["updated"],
        "artifact_uri": f"{location}/models/{id}/artifacts",
        "status": facts["status"],
        "model_type": facts["type"],
        "source_run_id": identities.run_uuid(identity, run.id),
        "tags": [{"key": key, "value": value} for key, value in facts["tags"].items()],
    }
    params = [{"key": key, "value": value} for key, value in facts["params"].items()]
    return {"info": info, "data": {"params": params}}


def changed_model(facts: Mapping[str, Any], now: float, **changes: Any) -> dict[str, Any]:
    """A model's facts with changes; those that are mappings are merged, ``None`` takes a key away."""
    found = dict(facts)
    for name, value in changes.items():
        if isinstance(value, Mapping):
            merged = {**facts[name], **value}
            found[name] = {key: item for key, item in merged.items() if item is not None}
        else:
            found[name] = value
    return {**found, "updated": round(now * 1000)}


def model_inputs(run: Run) -> list[dict[str, Any]]:
    """The models that a run read."""
    return [{"model_id": id} for id in run.sys_metadata.get(INPUTS, ())]


def model_outputs(run: Run) -> list[dict[str, Any]]:
    """The models that a run made, with the step at which it did."""
    return [{"model_id": id, "step": step} for id, step in run.sys_metadata.get(OUTPUTS, {}).items()]


def pairs(data: Data, name: str) -> dict[str, str]:
    """A list of ``{"key", "value"}`` as a mapping."""
    found = fields.objects(data, name, most=MOST_PARAMS)
    return {fields.key(item): fields.text(item, "value") or "" for item in found}


def history_with(run: Run, tag: str, model_json: str) -> tuple[str, str | None]:
    """The text of MLflow's tag of logged models with one more, and the library that the model is of.

    Raises:
        InvalidValue: The model is no JSON object.
    """
    try:
        model = json.loads(model_json)
    except (ValueError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise InvalidValue("model_json", "must be a JSON object", given=model_json)
    flavors = model.get("flavors")
    named = sorted(set(flavors) - {"python_function"}) if isinstance(flavors, dict) else []
    try:
        before = json.loads(str(run.dev_metadata.get(tag, "[]")))
    except ValueError:
        before = []
    kept = [item for item in before if item != model] if isinstance(before, list) else []
    return json.dumps([*kept, model], ensure_ascii=False), named[0] if named else None
