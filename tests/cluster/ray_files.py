"""Ray's own models of its files, made strict: unknown keys are faults."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import click
import jsonschema
from pydantic import BaseModel, ValidationError

JOB_KEYS = {"working_dir", "py_modules", "pip", "uv", "conda", "env_vars", "excludes", "image_uri", "config"}


def serve_faults(config: Any) -> list[str]:
    """Places where a Serve config file breaks Ray's schema, or says what Ray would silently ignore."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's models are declared in an older way
        from ray.serve.schema import ServeDeploySchema

    from heliostat.errors import HeliostatError
    from heliostat.service.settings import read_settings

    try:
        ServeDeploySchema.model_validate(config)
    except ValidationError as error:
        return [f"{item['loc']}: {item['msg']}" for item in error.errors()]
    faults = list(unknown_keys(ServeDeploySchema, config))
    for application in config["applications"]:
        try:
            read_settings(application.get("args"))
        except HeliostatError as error:
            faults.append(str(error))
    return faults


def unknown_keys(model: type[BaseModel], value: Any, path: str = "") -> Iterator[str]:
    """Keys of a document that a model has no field for, at any depth."""
    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key not in known:
            yield f"{path}{key}: unknown"
            continue
        for inner in _models(known[key]):
            for place, part in enumerate(item if isinstance(item, list) else [item]):
                yield from unknown_keys(inner, part, f"{path}{key}[{place}].")


def runtime_env_faults(config: Any) -> list[str]:
    """Places where a runtime environment breaks Ray's rules, or says what Ray would only warn of."""
    from ray.runtime_env import RuntimeEnv

    unknown = [f"{key}: unknown" for key in sorted(set(config) - JOB_KEYS)]
    if unknown:
        return unknown
    try:
        RuntimeEnv(**{key: value for key, value in config.items() if key != "working_dir"})
    except (TypeError, ValueError) as error:
        return [str(error)]
    return []


NODE_KEYS = {
    "aws": {"InstanceType", "ImageId", "InstanceMarketOptions", "BlockDeviceMappings", "IamInstanceProfile"},
    "gcp": {"machineType", "disks", "scheduling", "guestAccelerators", "metadata", "serviceAccounts"},
    "local": set(),
}
"""What our files say about cloud machines; Ray hands it on without a look."""


def launcher_faults(config: Any) -> list[str]:
    """Places where a cluster launcher file breaks Ray's rules, or misspells a field of a machine."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    provider = config.get("provider", {}).get("type", "")
    machines = config.get("available_node_types", {})
    faults = [
        f"available_node_types.{name}.node_config.{key}: unknown"
        for name, machine in machines.items()
        for key in sorted(set(machine.get("node_config", {})) - NODE_KEYS.get(provider, set()))
    ]
    for name, machine in machines.items():
        extra = sorted(set(machine) - {"node_config", "resources", "labels", "min_workers", "max_workers"})
        faults += [f"available_node_types.{name}.{key}: unknown" for key in extra]
    try:
        validate_config(prepare_config(config))
    except (click.ClickException, jsonschema.ValidationError, ValueError, KeyError) as error:
        faults.append(str(error).splitlines()[0])
    return faults + list(_token_faults(config))


def _token_faults(config: Mapping[str, Any]) -> Iterator[str]:
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        for line in config.get(key, []):
            if "ray start" in line and "RAY_AUTH_MODE=token" not in line:
                yield f"{key}: RAY_AUTH_MODE=token goes before every ray start"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
