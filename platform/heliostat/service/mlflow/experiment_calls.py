"""The calls about experiments, which are our projects."""

from __future__ import annotations

from typing import Any

from heliostat.errors import InvalidValue, NotFound
from heliostat.ports import ProjectRecord
from heliostat.service.callers import Caller
from heliostat.service.mlflow import facts, fields, identities, searching, views
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.filters import read_filter
from heliostat.service.mlflow.models import pairs
from heliostat.service.mlflow.refusals import MlflowRefusal
from heliostat.service.mlflow.wire import Wire
from heliostat.writes import AddNote, SettleProject

LONGEST_NAME = 500
LONGEST_TAG = 20_000
STORES = ("s3", "gs", "wasbs", "abfss", "hdfs", "dbfs", "sftp", "b2", "r2")
"""Schemes of places where clients may put artifacts by themselves: never a disk or a page of the web."""


async def create_experiment(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Bring an experiment into being."""
    name = fields.required_text(data, "name", longest=LONGEST_NAME).strip()
    if not name:
        raise InvalidValue("name", "must not be blank")
    projects = await wire.projects(fresh=True)
    there = _named(projects.values(), name)
    if there is not None:
        state = "deleted" if there.archived else "active"
        rule = f"Experiment(name={name}) already exists in the '{state}' state"
        raise MlflowRefusal(
            "RESOURCE_ALREADY_EXISTS", rule, remedy="Use it, restore it, or take another name."
        )
    id = identities.new_project(name, projects)
    tags: dict[str, Any] = dict(pairs(data, "tags"))
    location = _location(data)
    if location:
        tags[views.LOCATION] = location
    title = None if name == id else name
    await wire.write(SettleProject(id, time=wire.now(), name=title, metadata=tags))
    wire.forget_projects()
    return {"experiment_id": identities.experiment_of(id)}


async def get_experiment(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """An experiment by id."""
    found = await wire.project(fields.required_text(data, "experiment_id"))
    return {"experiment": views.experiment_object(found)}


async def get_experiment_by_name(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """An experiment by name."""
    name = fields.required_text(data, "experiment_name")
    found = _named((await wire.projects()).values(), name)
    found = found or _named((await wire.projects(fresh=True)).values(), name)
    if found is None:
        rule = f"Could not find experiment with name '{name[:LONGEST_NAME]}'"
        raise NotFound(rule, remedy="Create it, or take a name from experiments/search.")
    return {"experiment": views.experiment_object(found)}


async def search_experiments(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Experiments that match a filter, page by page."""
    view = fields.choice(data, "view_type", searching.VIEWS) or "ACTIVE_ONLY"
    comparisons = read_filter(fields.text(data, "filter"), searching.EXPERIMENT_NAMES)
    orders = searching.read_orders(data, searching.EXPERIMENT_NAMES)
    projects = [item for item in (await wire.projects(fresh=True)).values() if _is_seen(item.archived, view)]
    projects.sort(key=lambda item: (-item.created, item.id))
    looked = [(item, searching.look_experiment(item)) for item in projects]
    found, token = searching.page(searching.chosen(looked, comparisons, orders), data, default=1000)
    return {"experiments": [views.experiment_object(item) for item in found], **token}


async def update_experiment(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Rename an experiment."""
    project = await wire.active_project(fields.required_text(data, "experiment_id"))
    name = fields.text(data, "new_name", longest=LONGEST_NAME)
    if name is not None and name.strip() and name != views.experiment_name(project):
        there = _named((await wire.projects(fresh=True)).values(), name)
        if there is not None and there.id != project.id:
            rule = f"Experiment(name={name}) already exists"
            raise MlflowRefusal("RESOURCE_ALREADY_EXISTS", rule, remedy="Take another name.")
        await _settle(wire, project, name=name)
    return {}


async def delete_experiment(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Hide an experiment, and with it its runs."""
    project = await wire.active_project(fields.required_text(data, "experiment_id"))
    if project.id == identities.DEFAULT_PROJECT:
        rule = "the default experiment is where clients write that chose none, and cannot be deleted"
        raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Delete its runs.")
    await _settle(wire, project, archived=True)
    return {}


async def restore_experiment(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Show a deleted experiment again."""
    project = await wire.project(fields.required_text(data, "experiment_id"), fresh=True)
    if not project.archived:
        rule = "the experiment must be in the 'deleted' state. Current state is active"
        raise MlflowRefusal("RESOURCE_DOES_NOT_EXIST", rule)
    await _settle(wire, project, archived=False)
    return {}


async def set_experiment_tag(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Set a tag of an experiment; its note becomes a version of the project's notes too."""
    project = await wire.active_project(fields.required_text(data, "experiment_id"))
    key, value = fields.key(data), fields.text(data, "value", longest=LONGEST_TAG) or ""
    if key == views.LOCATION:
        raise InvalidValue("key", "is a name that Heliostat uses itself", given=key)
    await _settle(wire, project, metadata={key: value})
    if key == facts.NOTE and value:
        await wire.write(AddNote(project.id, value, time=wire.now(), user=caller.user))
    return {}


async def delete_experiment_tag(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Take a tag of an experiment away."""
    project = await wire.active_project(fields.required_text(data, "experiment_id"))
    key = fields.key(data)
    if key not in views.experiment_tags(project):
        raise NotFound(f"No tag with name: {key} in experiment with id {data['experiment_id']}")
    await _settle(wire, project, metadata={key: None})
    return {}


def _is_seen(is_deleted: bool, view: str) -> bool:
    return view == "ALL" or is_deleted == (view == "DELETED_ONLY")


def _named(projects: Any, name: str) -> ProjectRecord | None:
    return next((item for item in projects if views.experiment_name(item) == name), None)


async def _settle(wire: Wire, project: ProjectRecord, **changes: Any) -> None:
    await wire.write(SettleProject(project.id, time=wire.now(), **changes))
    wire.forget_projects()


def _location(data: Data) -> str:
    """A place of the client's own for artifacts.

    Raises:
        InvalidValue: It is none that several machines share.
    """
    found = (fields.text(data, "artifact_location", longest=1000) or "").rstrip("/")
    if not found or found.startswith("mlflow-artifacts:"):
        return ""  # with us, where it would be anyhow
    scheme, colon, rest = found.partition("://")
    if not colon or scheme not in STORES or not rest or any(char in rest for char in "#?\\") or ".." in rest:
        rule = f"must be a place that all clients reach: {', '.join(f'{store}://' for store in STORES)}"
        remedy = "Leave it out: artifacts then go through Heliostat."
        raise InvalidValue("artifact_location", rule, given=found, remedy=remedy)
    return found
