"""The objects in the service's replies as JSON schemas: keys that must be there, and keys that may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def _or_null(schema: Schema) -> Schema:
    kind = schema["type"]
    return {**schema, "type": [*([kind] if isinstance(kind, str) else kind), "null"]}


def array(item: Schema) -> Schema:
    """The schema of a list."""
    return {"type": "array", "items": item}


def _by_name(item: Schema) -> Schema:
    return {"type": "object", "additionalProperties": item}


def ref(name: str) -> Schema:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(name: str) -> Schema:
    return {"anyOf": [ref(name), {"type": "null"}]}


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
FREE: Schema = {"type": "object"}
TEXTS = array(TEXT)
MAYBE_TEXT, MAYBE_WHOLE, MAYBE_NUMBER = _or_null(TEXT), _or_null(WHOLE), _or_null(NUMBER)
REAL: Schema = {"type": ["number", "string"], "description": "A number, or one that JSON lacks by its name."}
MAYBE_REAL, MAYBE_FREE = _or_null(REAL), _or_null(FREE)

_EVALUATION = {"name": MAYBE_TEXT, "value": REAL, "value_stddev": MAYBE_REAL}
_FAILURE = {"anyOf": [ref("failure"), {"type": "null"}]}
_FILE = {
    "training_run": TEXT,
    "client": TEXT,
    "user": MAYBE_TEXT,
    "name": TEXT,
    "filename": MAYBE_TEXT,
    "created": WHOLE,
    "content_length": WHOLE,
    "content_type": TEXT,
    "content_md5": TEXT,
}
_DECLARED = {
    "id": TEXT,
    "client": TEXT,
    "user": MAYBE_TEXT,
    "project": TEXT,
    "name": TEXT,
    "type": TEXT,
    "state": {"enum": ["active", "deleted"]},
    "created": WHOLE,
    "updated": WHOLE,
    "metadata": MAYBE_FREE,
    "metrics": array(ref("metric")),
    "parameters": array(ref("parameter")),
    "conditionals": array(ref("conditional")),
    "linear_constraints": array(ref("linear_constraint")),
    "num_solutions": MAYBE_WHOLE,
    "parallel_bandwidth": MAYBE_WHOLE,
    "runs_only": FLAG,
    "searcher": TEXT,
    "seed": MAYBE_WHOLE,
    "transfer": array(ANY),
    "early_stopping": MAYBE_TEXT,
}
_VERDICT = {"should_stop": FLAG, "stopping_reasons": _by_name(TEXT)}
_POINT = {"assignments": FREE, "metadata": MAYBE_FREE}

OBJECTS: dict[str, tuple[Mapping[str, Schema], Mapping[str, Schema]]] = {
    "client": ({"id": TEXT, "name": TEXT, "organization": TEXT, "created": MAYBE_WHOLE}, {}),
    "organization": ({"id": TEXT, "name": TEXT, "created": MAYBE_WHOLE, "deleted": FLAG}, {}),
    "project": (
        {
            "id": TEXT,
            "name": TEXT,
            "client": TEXT,
            "user": MAYBE_TEXT,
            "created": WHOLE,
            "updated": WHOLE,
            "metadata": MAYBE_FREE,
            "experiment_count": WHOLE,
            "training_run_count": WHOLE,
            "deleted": FLAG,
        },
        {},
    ),
    "note": (
        {"id": TEXT, "client": TEXT, "project": TEXT, "contents": TEXT, "user": MAYBE_TEXT, "created": WHOLE},
        {},
    ),
    "frozen_report": (
        {
            "id": TEXT,
            "experiment": TEXT,
            "title": TEXT,
            "comment": TEXT,
            "kind": {"enum": ["report", "metrics"]},
            "user": MAYBE_TEXT,
            "created": WHOLE,
            "place": WHOLE,
            "size": WHOLE,
        },
        {},
    ),
    "tag": ({"id": TEXT, "name": TEXT, "color": TEXT, "client": TEXT}, {}),
    "token": (
        {
            "id": MAYBE_TEXT,
            "token": MAYBE_TEXT,
            "token_type": {"enum": ["guest", "client-api"]},
            "name": MAYBE_TEXT,
            "client": TEXT,
            "organization": TEXT,
            "user": MAYBE_TEXT,
            "all_experiments": FLAG,
            "development": FLAG,
            "experiment": MAYBE_TEXT,
            "training_run": MAYBE_TEXT,
            "project": MAYBE_TEXT,
            "report": MAYBE_TEXT,
            "permissions": TEXT,
            "scope": TEXT,
            "expires": MAYBE_WHOLE,
            "lease_length": MAYBE_WHOLE,
        },
        {},
    ),
    "metric_evaluation": (_EVALUATION, {"at": NUMBER}),
    "metric": (
        {"name": TEXT, "objective": TEXT, "strategy": TEXT, "threshold": MAYBE_NUMBER},
        {},
    ),
    "parameter": (
        {
            "name": TEXT,
            "type": TEXT,
            "bounds": MAYBE_FREE,
            "categorical_values": {"type": ["array", "null"], "items": FREE},
            "conditions": FREE,
            "default_value": ANY,
            "prior": MAYBE_FREE,
            "transformation": MAYBE_TEXT,
        },
        {"grid": array(ANY)},
    ),
    "conditional": ({"name": TEXT, "values": TEXTS}, {}),
    "linear_constraint": ({"type": TEXT, "threshold": NUMBER, "terms": array(FREE)}, {}),
    "task": ({"name": TEXT, "cost": NUMBER}, {}),
    "training_run": (
        {
            "id": TEXT,
            "client": TEXT,
            "project": TEXT,
            "experiment": MAYBE_TEXT,
            "suggestion": MAYBE_TEXT,
            "observation": MAYBE_TEXT,
            "user": MAYBE_TEXT,
            "name": MAYBE_TEXT,
            "state": {"enum": ["active", "completed", "failed"]},
            "finished": FLAG,
            "created": WHOLE,
            "updated": WHOLE,
            "completed": MAYBE_WHOLE,
            "deleted": FLAG,
            "favorite": FLAG,
            "optimized_suggestion": FLAG,
            "checkpoint_count": MAYBE_WHOLE,  # lists do not count
            "assignments": FREE,
            "assignments_meta": _by_name(FREE),
            "assignments_sources": _by_name(FREE),
            "values": _by_name(ref("metric_evaluation")),
            "metadata": MAYBE_FREE,
            "dev_metadata": FREE,
            "sys_metadata": FREE,
            "datasets": _by_name(FREE),
            "model": FREE,
            "logs": _by_name(FREE),
            "source_code": FREE,
            "tags": TEXTS,
            "files": TEXTS,
            "end": MAYBE_TEXT,
            "end_reason": TEXT,
            "failure": _FAILURE,
            "origin": TEXT,
            "why": TEXT,
            "predicted": _by_name(FREE),
            "number": WHOLE,
            "task": MAYBE_TEXT,
            "attempt": WHOLE,
            "note": TEXT,
            "late": _by_name(_by_name(array(ref("metric_evaluation")))),
        },
        {},
    ),
    "checkpoint": (
        {
            "id": TEXT,
            "training_run": TEXT,
            "created": WHOLE,
            "metadata": MAYBE_FREE,
            "values": array(ref("metric_evaluation")),
            "step": WHOLE,
        },
        _VERDICT,
    ),
    "file": (
        {"id": MAYBE_TEXT, "training_run": TEXT},
        {
            **{name: item for name, item in _FILE.items() if name != "training_run"},
            "upload": FREE,
            "download": FREE,
        },
    ),
    "aiexperiment": (
        {**_DECLARED, "budget": MAYBE_NUMBER, "progress": ref("aiexperiment_progress")},
        {"tasks": array(ref("task"))},
    ),
    "aiexperiment_progress": (
        {
            "active_run_count": WHOLE,
            "finished_run_count": WHOLE,
            "total_run_count": WHOLE,
            "remaining_budget": MAYBE_NUMBER,
        },
        {},
    ),
    "experiment": (
        {
            **_DECLARED,
            "observation_budget": MAYBE_NUMBER,
            "development": FLAG,
            "progress": ref("progress"),
        },
        {"tasks": array(ref("task"))},
    ),
    "progress": (
        {"observation_count": WHOLE},
        {
            "observation_budget_consumed": NUMBER,
            "first_observation": _maybe("observation"),
            "last_observation": _maybe("observation"),
            "best_observation": _maybe("observation"),
        },
    ),
    "suggestion": (
        {
            "id": TEXT,
            "experiment": TEXT,
            **_POINT,
            "created": WHOLE,
            "deleted": FLAG,
            "state": {"enum": ["open", "closed"]},
            "origin": TEXT,
            "why": TEXT,
            "attempt": WHOLE,
        },
        {"task": _maybe("task")},
    ),
    "observation": (
        {
            "id": TEXT,
            "experiment": TEXT,
            "suggestion": TEXT,
            **_POINT,
            "values": array(ref("metric_evaluation")),
            "failed": FLAG,
            "created": WHOLE,
            "deleted": FLAG,
            "end": TEXT,
            "end_reason": TEXT,
        },
        {"value": REAL, "value_stddev": MAYBE_REAL, "task": _maybe("task")},
    ),
    "queued_suggestion": (
        {"id": TEXT, "experiment": TEXT, "assignments": FREE, "created": WHOLE},
        {"task": _maybe("task")},
    ),
    "best_assignments": (
        {"id": TEXT, **_POINT, "values": array(ref("metric_evaluation"))},
        {"value": REAL, "value_stddev": MAYBE_REAL, "task": MAYBE_TEXT},
    ),
    "stopping_criteria": (
        {"should_stop": FLAG, "reasons": TEXTS, "convergence": FREE},
        {},
    ),
    "metric_importances": (
        {
            "metric": TEXT,
            "importances": _by_name(NUMBER),
            "r2": REAL,
            "observations": WHOLE,
            "unclear": MAYBE_TEXT,
        },
        {},
    ),
    "best_practices": ({"no_violations": FLAG, "violations": TEXTS}, {}),
    "web_data": (
        {
            "id": TEXT,
            "parent_resource_type": TEXT,
            "parent_resource_id": FREE,
            "display_name": TEXT,
            "web_data_type": TEXT,
            "payload": FREE,
            "created": WHOLE,
            "updated": WHOLE,
        },
        {},
    ),
    "run": (
        {
            "id": TEXT,
            "experiment": TEXT,
            "number": WHOLE,
            "name": MAYBE_TEXT,
            "assignments": FREE,
            "task": _maybe("task"),
            "state": TEXT,
            "end_reason": TEXT,
            "values": _by_name(ref("metric_evaluation")),
            "attempt": WHOLE,
            "why": TEXT,
            "origin": TEXT,
            "failure": _FAILURE,
        },
        {},
    ),
    "ask": ({"runs": array(ref("run")), "is_over": FLAG, "reason": TEXT}, {}),
    "report": ({"run": TEXT, **_VERDICT}, {}),
    "events": ({"data": array(ref("event")), "after": WHOLE}, {}),
    "event": (
        {
            "seq": WHOLE,
            "time": NUMBER,
            "kind": TEXT,
            "experiment": MAYBE_TEXT,
            "run": MAYBE_TEXT,
            "body": FREE,
        },
        {},
    ),
}
PLAIN: dict[str, Schema] = {
    "failure": {
        "type": "object",
        "required": ["kind", "message"],
        "properties": {"kind": TEXT, "message": TEXT},
        "additionalProperties": False,
    },
    "nothing": {"type": "object", "maxProperties": 0},
    "health": {"type": "object", "required": ["status"], "properties": {"status": TEXT}},
}
