"""Runs and experiments in the words of MLflow's REST interface."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from heliostat.ports import ProjectRecord
from heliostat.service.mlflow import facts, identities
from heliostat.service.mlflow.datasets import dataset_inputs
from heliostat.service.mlflow.models import model_inputs, model_outputs
from heliostat.service.mlflow.points import Point, point_object
from heliostat.trial import Run, State

STATUSES = {
    State.ACTIVE: "RUNNING",
    State.COMPLETED: "FINISHED",
    State.EARLY_STOPPED: "KILLED",
    State.CANCELLED: "KILLED",
    State.FAILED: "FAILED",
    State.LOST: "FAILED",
}
"""MLflow knows five words; the state itself is in the tag ``heliostat.state``."""

STATUS, END_TIME = "mlflow.status", "mlflow.endTime"
"""System facts: what MLflow was told last where our state does not say it."""

LOCATION = "mlflow.artifactLocation"
"""The fact of a project that says where its artifacts lie, if not with us."""


def milliseconds(seconds: float) -> int:
    """MLflow's times."""
    return round(seconds * 1000)


def status_of(run: Run) -> str:
    """The run's status."""
    return str(run.sys_metadata.get(STATUS) or STATUSES[run.state])


def end_time_of(run: Run) -> int | None:
    """When it ended, in milliseconds; ``None`` while it runs, or runs again."""
    if status_of(run) in ("RUNNING", "SCHEDULED") or run.ended is None:
        return None
    told = run.sys_metadata.get(END_TIME)
    return milliseconds(run.ended) if told is None else int(told)


def is_deleted(run: Run, project: ProjectRecord | None) -> bool:
    """Whether MLflow must show the run as deleted: itself, or with its experiment."""
    return run.archived or (project is not None and project.archived)


def artifact_location(project: ProjectRecord) -> str:
    """Where an experiment's artifacts lie."""
    told = project.metadata.get(LOCATION)
    return str(told) if told else f"mlflow-artifacts:/{identities.experiment_of(project.id)}"


def run_info(run: Run, project: ProjectRecord, identity: str) -> dict[str, Any]:
    """What MLflow calls a run's info."""
    uuid = identities.run_uuid(identity, run.id)
    end = end_time_of(run)
    return {
        "run_id": uuid,
        "run_uuid": uuid,
        "run_name": facts.run_name(run),
        "experiment_id": identities.experiment_of(run.project),
        "user_id": run.user,
        "status": status_of(run),
        "start_time": start_time_of(run),
        **({} if end is None else {"end_time": end}),
        "artifact_uri": f"{artifact_location(project)}/{uuid}/artifacts",
        "lifecycle_stage": "deleted" if is_deleted(run, project) else "active",
    }


def start_time_of(run: Run) -> int:
    """When it began, in milliseconds."""
    return milliseconds(run.created if run.started is None else run.started)


def run_object(run: Run, project: ProjectRecord, identity: str) -> dict[str, Any]:
    """A run; its metrics name their last step if the run was read with its curve."""
    return {
        "info": run_info(run, project, identity),
        "data": {
            "metrics": [point_object(point) for point in metrics_of(run)],
            "params": _pairs(facts.params_of(run)),
            "tags": _pairs(facts.tags_of(run)),
        },
        "inputs": {"dataset_inputs": dataset_inputs(run), "model_inputs": model_inputs(run)},
        "outputs": {"model_outputs": model_outputs(run)},
    }


def metrics_of(run: Run) -> Iterator[Point]:
    """The last value of each metric, and its standard error as a metric of its own."""
    last: dict[str, tuple[int, int]] = {}
    for point in run.curve:
        for name in point.values:
            last[name] = point.step, milliseconds(point.time)
    moment = milliseconds(run.ended or run.updated or run.created)
    for name, item in run.values.items():
        step, time = last.get(name, (0, moment))
        yield Point(step, time, name, item.value)
        error = f"{name}.stddev"
        if item.stddev is not None and error not in run.values:
            yield Point(step, time, error, item.stddev)


def metric_values(run: Run) -> dict[str, float]:
    """Metrics by name, without those that are not a number: MLflow compares them with nothing."""
    return {point.key: point.value for point in metrics_of(run) if not math.isnan(point.value)}


def experiment_object(project: ProjectRecord) -> dict[str, Any]:
    """An experiment."""
    return {
        "experiment_id": identities.experiment_of(project.id),
        "name": experiment_name(project),
        "artifact_location": artifact_location(project),
        "lifecycle_stage": "deleted" if project.archived else "active",
        "creation_time": milliseconds(project.created),
        "last_update_time": milliseconds(project.updated or project.created),
        "tags": _pairs(experiment_tags(project)),
    }


def experiment_name(project: ProjectRecord) -> str:
    """The experiment's name: the project's, and MLflow's own word for the one that is always there."""
    is_default = project.id == project.name == identities.DEFAULT_PROJECT
    return "Default" if is_default else project.name


def experiment_tags(project: ProjectRecord) -> dict[str, str]:
    """The experiment's tags."""
    return {name: facts.shown(value) for name, value in project.metadata.items() if name != LOCATION}


def _pairs(found: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in found.items()]
