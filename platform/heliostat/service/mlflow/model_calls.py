"""The calls about logged models, as far as runs need them; the registry is not carried."""

from __future__ import annotations

from typing import Any

from heliostat.errors import NotFound
from heliostat.query import RunQuery
from heliostat.service.callers import Caller
from heliostat.service.mlflow import artifact_calls, fields, filters, models, searching, views
from heliostat.service.mlflow.comparisons import ATTRIBUTE, METRIC, PARAM, TAG, Order
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.refusals import MlflowRefusal, not_carried
from heliostat.service.mlflow.wire import Wire
from heliostat.trial import Run
from heliostat.writes import UpdateRun


async def create_model(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Make a model of a run."""
    await wire.active_project(fields.required_text(data, "experiment_id"))
    uuid = fields.text(data, "source_run_id")
    if not uuid:
        rule = "a logged model belongs to the run that made it, and source_run_id is missing"
        raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Log it within mlflow.start_run().")
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid)
        id, facts = models.new_model(run, data, wire.identity, wire.now())
        if id not in models.models_of(run):
            changes = {models.MODEL + id: facts}
            await wire.write(UpdateRun(run.id, time=wire.now(), sys_metadata=changes))
    return await _shown(wire, id)


async def get_model(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """A model."""
    return await _shown(wire, _id(data))


async def finalize_model(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Say what became of a model."""
    status = fields.choice(data, "status", models.STATUSES)
    if status is None:
        raise MlflowRefusal("INVALID_PARAMETER_VALUE", "status is required")
    return await _changed(wire, _id(data), status=status)


async def set_model_tags(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Set tags of a model."""
    return await _changed(wire, _id(data), tags=models.pairs(data, "tags"))


async def delete_model_tag(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Take a tag of a model away."""
    await _changed(wire, _id(data), tags={fields.required_text(data, "tag_key"): None})
    return {}


async def log_model_params(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Add parameters of a model."""
    await _changed(wire, _id(data), params=models.pairs(data, "params"))
    return {}


async def search_models(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Models of some experiments that match a filter, page by page."""
    if data.get("datasets"):
        raise not_carried("search of models by dataset")
    comparisons = filters.read_filter(fields.text(data, "filter"), models.MODEL_NAMES)
    orders = [
        Order(*_order_name(item), item.get("ascending", True) is not False)
        for item in fields.objects(data, "order_by", most=searching.MOST_ORDERS)
    ]
    looked = []
    for experiment in fields.texts(data, "experiment_ids", most=1000):
        for item in await _models_of(wire, experiment):
            looked.append((item, _look(item)))
    looked.sort(key=lambda pair: -pair[0]["info"]["creation_timestamp_ms"])
    found, token = searching.page(searching.chosen(looked, comparisons, orders), data, default=50)
    return {"models": list(found), **token}


async def list_model_artifacts(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """What lies in a folder of a model."""
    id, folder = _id(data), (fields.text(data, "artifact_directory_path") or "").strip("/")
    run = await wire.model_run(id)
    models.model_of(run, id)
    project = await wire.project_of(run)
    root = f"{views.artifact_location(project)}/models/{id}/artifacts"
    return {"root_uri": root, "files": await artifact_calls.listed(wire, run, id, folder)}


async def _models_of(wire: Wire, experiment: str) -> list[dict[str, Any]]:
    try:
        project = await wire.project(experiment)
    except NotFound:
        return []
    page = await wire.backend.read(wire.backend.log.query, RunQuery(), project=project.id)
    location = views.artifact_location(project)
    return [
        models.model_object(run, id, wire.identity, location)
        for run in page.runs
        for id in models.models_of(run)
    ]


def _look(item: dict[str, Any]) -> Any:
    info = item["info"]
    tags = {tag["key"]: tag["value"] for tag in info["tags"]}
    params = {param["key"]: param["value"] for param in item["data"]["params"]}
    families: dict[str, dict[str, Any]] = {
        TAG: tags,
        PARAM: params,
        ATTRIBUTE: info,
        METRIC: {},
    }
    return lambda family, key: families[family].get(key)


def _order_name(item: Data) -> tuple[str, str]:
    found = filters.read_order(fields.required_text(item, "field_name"), models.MODEL_NAMES)
    return found.family, found.key


def _id(data: Data) -> str:
    return fields.required_text(data, "model_id")


async def _changed(wire: Wire, id: str, **changes: Any) -> dict[str, Any]:
    run = await wire.model_run(id)
    async with wire.alone(run.id):
        run = await wire.model_run(id)
        facts = models.changed_model(models.model_of(run, id), wire.now(), **changes)
        await wire.write(UpdateRun(run.id, time=wire.now(), sys_metadata={models.MODEL + id: facts}))
    return await _shown(wire, id)


async def _shown(wire: Wire, id: str) -> dict[str, Any]:
    run: Run = await wire.model_run(id)
    location = views.artifact_location(await wire.project_of(run))
    return {"model": models.model_object(run, id, wire.identity, location)}
