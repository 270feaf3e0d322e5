"""Spaces from and to SigOpt's v1 objects: what YAML and JSON files, HTTP bodies and Python dicts hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.space.constraints import LinearConstraint
from heliostat.space.parameters import Categorical, Conditional, Double, Int, Parameter
from heliostat.space.priors import read_prior
from heliostat.space.space import Space

_COMMON = ("name", "type", "default_value", "conditions")
_NUMERIC = (*_COMMON, "bounds", "grid", "transformation")


def read_space(data: Mapping[str, Any]) -> Space:
    """A space from ``parameters``, ``conditionals`` and ``linear_constraints``; other keys are not read."""
    parameters = schema.items(schema.required(data, "parameters", ""), "parameters")
    conditionals = schema.items(data.get("conditionals") or (), "conditionals")
    constraints = schema.items(data.get("linear_constraints") or (), "linear_constraints")
    return Space(
        tuple(read_parameter(item, f"parameters[{place}]") for place, item in enumerate(parameters)),
        tuple(_read_conditional(item, f"conditionals[{place}]") for place, item in enumerate(conditionals)),
        tuple(
            LinearConstraint.from_dict(item, f"linear_constraints[{place}]")
            for place, item in enumerate(constraints)
        ),
    )


def write_space(space: Space) -> dict[str, Any]:
    """The space's fields in their wire form."""
    return schema.plain(
        {
            "parameters": [write_parameter(item) for item in space.parameters],
            "conditionals": [_write_conditional(item) for item in space.conditionals],
            "linear_constraints": [item.to_dict() for item in space.linear_constraints],
        }
    )


def read_parameter(value: Any, field: str) -> Parameter:
    """A parameter from its wire form; a parameter value passes through."""
    if isinstance(value, (Double, Int, Categorical)):
        return value
    data = {key: item for key, item in schema.mapping(value, field).items() if item is not None}
    kind = schema.choice(data.get("type"), f"{field}.type", ("double", "int", "categorical"))
    name = schema.name(schema.required(data, "name", field), f"{field}.name")
    common: dict[str, Any] = {
        "default_value": data.get("default_value"),
        "conditions": data.get("conditions") or (),
    }
    if kind == "categorical":
        schema.only_keys(data, field, (*_COMMON, "categorical_values"))
        return Categorical(name, schema.required(data, "categorical_values", field), **common)
    allowed = (*_NUMERIC, "prior") if kind == "double" else _NUMERIC
    schema.only_keys(data, field, allowed)
    low, high = _read_bounds(data.get("bounds"), f"{field}.bounds")
    scale = schema.choice(data.get("transformation", "none"), f"{field}.transformation", ("none", "log"))
    numeric: dict[str, Any] = {**common, "grid": data.get("grid"), "log": scale == "log"}
    if kind == "int":
        return Int(name, low, high, **numeric)
    prior = data.get("prior")
    return Double(name, low, high, prior=prior and read_prior(prior, f"{field}.prior"), **numeric)


def write_parameter(item: Parameter) -> dict[str, Any]:
    """The wire form of a parameter."""
    data: dict[str, Any] = {"name": item.name, "type": item.kind, "default_value": item.default_value}
    data["conditions"] = {switch: list(values) for switch, values in item.conditions}
    if isinstance(item, Categorical):
        return schema.plain({**data, "categorical_values": list(item.values)})
    if item.grid is not None:
        data["grid"] = list(item.grid)
    else:
        data["bounds"] = {"min": item.min, "max": item.max}
    data["transformation"] = "log" if item.log else None
    if isinstance(item, Double) and item.prior is not None:
        data["prior"] = item.prior.to_dict()
    return schema.plain(data)


def _read_bounds(value: Any, field: str) -> tuple[Any, Any]:
    if value is None:
        return None, None
    if not isinstance(value, Mapping):
        pair = schema.items(value, field)
        if len(pair) != 2:
            raise InvalidValue(field, "must be {min, max}", given=value)
        return pair[0], pair[1]
    schema.only_keys(value, field, ("min", "max"))
    return schema.required(value, "min", field), schema.required(value, "max", field)


def _read_conditional(value: Any, field: str) -> Conditional:
    if isinstance(value, Conditional):
        return value
    data = schema.mapping(value, field)
    schema.only_keys(data, field, ("name", "values", "conditions", "default_value"))
    name, values = (schema.required(data, key, field) for key in ("name", "values"))
    default = data.get("default_value")
    return Conditional(name, values, default_value=default, conditions=data.get("conditions") or ())


def _write_conditional(item: Conditional) -> dict[str, Any]:
    conditions = {switch: list(values) for switch, values in item.conditions}
    data = {"name": item.name, "values": list(item.values), "default_value": item.default_value}
    return schema.plain({**data, "conditions": conditions})
