"""SigOpt's experiment objects as declared experiments of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.experiment import SIGOPT_TYPES, read_experiment
from heliostat.imports import ImportedExperiment, Skipped

UNNAMED = "value"
"""Our name for the one metric that a core experiment may leave without a name."""

_PLAIN = ("name", "project", "parallel_bandwidth", "num_solutions")
_PARAMETER = ("name", "type", "conditions", "default_value", "transformation", "grid")


def experiment_of(item: Mapping[str, Any]) -> ImportedExperiment | Skipped:
    """The experiment that an object declares, or why ours cannot be declared so."""
    key = f"experiment {item.get('id')}"
    try:
        spec = read_experiment(_declared(item))
    except (InvalidValue, KeyError, TypeError, AttributeError) as error:
        reason = error.rule if isinstance(error, InvalidValue) else f"it is incomplete ({error!r})"
        return Skipped(
            key, f"is an experiment that cannot be declared here, its runs come without it: {reason}"
        )
    return ImportedExperiment(key, spec, item.get("created"), archived=item.get("state") == "deleted")


def _declared(item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that declare the experiment, without what the API adds to them."""
    kind = item.get("type")
    metadata = item.get("metadata") or {}
    found: dict[str, Any] = {name: item.get(name) for name in _PLAIN}
    found |= {
        "type": kind if kind in SIGOPT_TYPES else None,
        "budget": item.get("budget") or item.get("observation_budget"),
        "parameters": [_parameter(value) for value in item["parameters"]],
        "conditionals": [_picked(value, "name", "values") for value in item.get("conditionals") or ()],
        "linear_constraints": [_constraint(value) for value in item.get("linear_constraints") or ()],
        "metrics": [_metric(value) for value in item.get("metrics") or [{}]],
        "tasks": [_picked(value, "name", "cost") for value in item.get("tasks") or ()],
        "metadata": {key: value for key, value in metadata.items() if value is not None},
    }
    return {key: value for key, value in found.items() if value is not None}


def _parameter(value: Mapping[str, Any]) -> dict[str, Any]:
    found = _picked(value, *_PARAMETER)
    if value.get("categorical_values"):
        names = [item["name"] if isinstance(item, Mapping) else item for item in value["categorical_values"]]
        found["categorical_values"] = names
    if value.get("bounds") and not found.get("grid"):
        found["bounds"] = _picked(value["bounds"], "min", "max")
    if value.get("prior"):
        found["prior"] = _picked(value["prior"], "name", "mean", "scale", "shape_a", "shape_b")
    return found


def _constraint(value: Mapping[str, Any]) -> dict[str, Any]:
    terms = [_picked(item, "name", "weight") for item in value["terms"]]
    return {**_picked(value, "type", "threshold"), "terms": terms}


def _metric(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": UNNAMED, **_picked(value, "name", "objective", "strategy", "threshold")}


def _picked(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name) is not None}
