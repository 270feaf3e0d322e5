"""Declared experiments from and to SigOpt's v1 objects; pure.

The service accepts what it prints: ``object`` keys, nulls, ``enum_index`` and the fields that only it can set
are let pass where the official client sends them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat import schema
from heliostat.engine import revised
from heliostat.errors import InvalidValue
from heliostat.experiment import SIGOPT_TYPES, ExperimentSpec, read_experiment
from heliostat.metrics import Metric
from heliostat.ports import ExperimentRecord
from heliostat.service.wire.sizes import check_sizes
from heliostat.space import Categorical, Parameter, write_parameter
from heliostat.unprinted import unprinted

UNNAMED = "value"
"""The name of the one metric of a core experiment that names none."""

EARLY_STOPPING = "early_stopping"
"""The field, and the key of the metadata under which the declaration keeps it."""

COMMON = (
    "name", "type", "parameters", "metrics", "parallel_bandwidth", "num_solutions", "conditionals",
    "linear_constraints", "metadata", "runs_only", "tasks", "searcher", "seed", "transfer", EARLY_STOPPING,
)  # fmt: skip
"""Fields that both families of experiments are declared by; the last four, and tasks with runs, are ours."""

BUDGETS = {"aiexperiment": "budget", "experiment": "observation_budget"}

_PRINTED = (
    "object", "id", "client", "user", "created", "updated", "progress", "development", "runs_only",
    "no_optimize",
)  # fmt: skip
_FIXED = (
    "type",
    "linear_constraints",
    "num_solutions",
    "conditionals",
    "tasks",
    "searcher",
    "seed",
    "transfer",
)
_PLAIN_PRIOR = ("name", "mean", "scale", "shape_a", "shape_b")


def read_declaration(body: Mapping[str, Any], kind: str, project: str | None = None) -> ExperimentSpec:
    """A new experiment from the body that creates it.

    Args:
        body: As it came.
        kind: ``aiexperiment`` or ``experiment``.
        project: From the path; without it the body may name one.

    Raises:
        InvalidValue: A field is unknown to this family, or breaks a rule.
    """
    allowed = (*COMMON, BUDGETS[kind], *(() if project is not None else ("project",)))
    schema.only_keys(body, kind, allowed)
    check_sizes(body)
    data = {key: item for key, item in unprinted(body).items() if item is not None and key != "runs_only"}
    if BUDGETS[kind] in data:
        data["budget"] = data.pop(BUDGETS[kind])
    if project is not None:
        data["project"] = project
    _keep_early_stopping(data, data.get("metadata"))
    data["metrics"] = _metrics(data.get("metrics"), is_core=kind == "experiment")
    return read_experiment(data)


def read_revision(spec: ExperimentSpec, body: Mapping[str, Any], kind: str) -> ExperimentSpec:
    """The declaration after a partial update; a state is none of it and must have been taken out.

    Raises:
        InvalidValue: A field is unknown, cannot change, or breaks a rule.
    """
    schema.only_keys(body, kind, (*COMMON, BUDGETS[kind], "project", *_PRINTED))
    check_sizes(body)
    data = {key: item for key, item in unprinted(body).items() if key not in _PRINTED}
    if BUDGETS[kind] in data:
        data["budget"] = data.pop(BUDGETS[kind])
    now = _fixed(spec)
    data = {key: item for key, item in data.items() if key not in _FIXED or not _is_same(item, now[key])}
    for key in ("parameters", "metrics"):
        _refuse_missing(key, data.get(key), [item["name"] for item in now[key]])
    if data.get("project", "") is None:
        del data["project"]
    if "metadata" in data:
        data["metadata"] = data["metadata"] or {}
    _keep_early_stopping(data, data.get("metadata", spec.metadata))
    return revised(spec, data)


def early_stopping(spec: ExperimentSpec) -> str | None:
    """By which method the runs of an experiment are told to stop; ``None``: they are not."""
    found = spec.metadata.get(EARLY_STOPPING)
    return found if isinstance(found, str) else None


def declared_fields(record: ExperimentRecord, kind: str, client: str) -> dict[str, Any]:
    """What both families' objects say of an experiment; ``progress`` comes with the runs."""
    spec = record.spec
    types = {searcher: name for name, searcher in SIGOPT_TYPES.items()}
    found: dict[str, Any] = {
        "object": kind,
        "id": str(record.id),
        "client": client,
        "user": None,
        "project": spec.project,
        "name": spec.name,
        "type": types.get(spec.searcher, "offline"),
        "state": "deleted" if record.archived else "active",
        "created": int(record.created),
        "updated": int(record.updated or record.created),
        "metadata": {key: item for key, item in spec.metadata.items() if key != EARLY_STOPPING} or None,
        "metrics": [metric_object(item) for item in sorted(spec.metrics.all, key=lambda item: item.name)],
        "parameters": [
            parameter_object(item) for item in sorted(spec.space.parameters, key=lambda item: item.name)
        ],
        "conditionals": [
            {"object": "conditional", "name": item.name, "values": list(item.values)}
            for item in spec.space.conditionals
        ],
        "linear_constraints": [_constraint(item.to_dict()) for item in spec.space.linear_constraints],
        "num_solutions": spec.num_solutions if spec.num_solutions > 1 else None,
        "parallel_bandwidth": spec.parallel_bandwidth,
        "runs_only": kind == "aiexperiment",
        BUDGETS[kind]: spec.budget,
        "searcher": spec.searcher,
        "seed": spec.seed,
        "transfer": list(spec.transfer),
        EARLY_STOPPING: early_stopping(spec),
    }
    if kind == "experiment":
        found["development"] = False
    if spec.tasks:
        found["tasks"] = [task_object(spec, item.name) for item in sorted(spec.tasks, key=lambda t: -t.cost)]
    return found


def parameter_object(item: Parameter) -> dict[str, Any]:
    """A ``parameter``: every field, null where there is nothing."""
    data = write_parameter(item)
    found: dict[str, Any] = {
        "object": "parameter",
        "name": item.name,
        "type": item.kind,
        "bounds": {"object": "bounds", **data["bounds"]} if "bounds" in data else None,
        "categorical_values": None,
        "conditions": data.get("conditions", {}),
        "default_value": data.get("default_value"),
        "prior": None,
        "transformation": data.get("transformation"),
    }
    if "grid" in data:
        found["grid"] = data["grid"]
    if "prior" in data:
        found["prior"] = {"object": "prior", **dict.fromkeys(_PLAIN_PRIOR), **data["prior"]}
    if isinstance(item, Categorical):
        found["categorical_values"] = [
            {"object": "categorical_value", "name": value, "enum_index": place}
            for place, value in enumerate(item.values, 1)
        ]
    return found


def metric_object(metric: Metric) -> dict[str, Any]:
    """A ``metric``."""
    fields = ("name", "objective", "strategy", "threshold")
    return {"object": "metric", **{name: getattr(metric, name) for name in fields}}


def task_object(spec: ExperimentSpec, name: str | None) -> dict[str, Any] | None:
    """A ``task``; ``None`` where there are no tasks."""
    task = spec.task(name)
    return None if task is None else {"object": "task", "name": task.name, "cost": task.cost}


def _keep_early_stopping(data: dict[str, Any], metadata: Any) -> None:
    """Move the field to the metadata, where the declaration has room for it; null ends it."""
    if EARLY_STOPPING not in data:
        return
    method = data.pop(EARLY_STOPPING)
    facts = {key: item for key, item in dict(metadata or {}).items() if key != EARLY_STOPPING}
    if method is not None:
        facts[EARLY_STOPPING] = schema.choice(method, EARLY_STOPPING, ("auto",))
    data["metadata"] = facts


def _metrics(given: Any, *, is_core: bool) -> list[Any]:
    """A core experiment may leave its one metric without a name."""
    if given is None and is_core:
        return [UNNAMED]
    if given is None:
        raise InvalidValue("metrics", "is required", remedy='Send [{"name": "accuracy"}].')
    found = schema.items(given, "metrics")
    if is_core and len(found) == 1 and isinstance(found[0], Mapping) and found[0].get("name") is None:
        return [{**found[0], "name": UNNAMED}]
    return found


def _fixed(spec: ExperimentSpec) -> dict[str, Any]:
    data = spec.to_dict()
    types = {searcher: name for name, searcher in SIGOPT_TYPES.items()}
    usual = {"linear_constraints": [], "conditionals": [], "tasks": [], "transfer": [], "num_solutions": 1}
    return {**usual, "type": types.get(spec.searcher, "offline"), **data}


def _is_same(given: Any, now: Any) -> bool:
    """Whether a field that cannot change is sent back as it is; lists may be in another order."""
    if given in (None, [], 1) and now in (None, [], 1):
        return True
    if isinstance(given, list) and isinstance(now, list):
        return sorted(map(_order, given)) == sorted(map(_order, now))
    return bool(given == now)


def _order(item: Any) -> str:
    return repr(sorted(item.items(), key=repr)) if isinstance(item, Mapping) else repr(item)


def _refuse_missing(key: str, given: Any, names: list[str]) -> None:
    if given is None:
        return
    sent = {item.get("name") if isinstance(item, Mapping) else item for item in schema.items(given, key)}
    missing = [name for name in names if name not in sent]
    if missing:
        rule = f"none of the {key} can be removed while the experiment runs (missing: {', '.join(missing)})"
        raise InvalidValue(key, rule, remedy="Send the complete list.")


def _constraint(data: Mapping[str, Any]) -> dict[str, Any]:
    terms = [{"object": "constraint_term", **term} for term in data["terms"]]
    return {"object": "linear_constraint", **data, "terms": terms}
