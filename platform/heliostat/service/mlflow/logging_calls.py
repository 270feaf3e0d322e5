"""The calls that log to a run: parameters, metrics, tags, datasets, and the histories of metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heliostat.errors import NotFound
from heliostat.service.callers import Caller
from heliostat.service.mlflow import facts, fields, points
from heliostat.service.mlflow.datasets import MOST as MOST_DATASETS
from heliostat.service.mlflow.datasets import dataset_changes
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.models import INPUTS, MODELS_TAG, OUTPUTS, history_with
from heliostat.service.mlflow.points import Point
from heliostat.service.mlflow.refusals import MlflowRefusal
from heliostat.service.mlflow.run_calls import run_id
from heliostat.service.mlflow.wire import Wire
from heliostat.trial import Run
from heliostat.writes import UpdateRun, Write

MOST_METRICS, MOST_PARAMS, MOST_TAGS = 10_000, 1000, 1000
"""Of one batch. MLflow's own server takes 1000, 100 and 100, and its clients send no more."""

MOST_RUNS = 100


async def log_metric(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Log one value of a metric."""
    return await _logged(wire, run_id(data), [points.read_point(data)], {}, {})


async def log_parameter(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Log a parameter; it keeps its first value."""
    return await _logged(wire, run_id(data), [], _params([data]), {})


async def set_tag(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Set a tag."""
    return await _logged(wire, run_id(data), [], {}, _texts([data]))


async def delete_tag(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Take a tag away."""
    run = await wire.active_run(fields.required_text(data, "run_id"))
    key = fields.key(data)
    changes = facts.tag_changes({key: None})
    known = {**run.metadata, **run.dev_metadata, facts.NAME: run.name, facts.NOTE: run.note}
    if not (known | {facts.COMMIT: run.source_hash}).get(key):
        raise NotFound(f"No tag with name: {key} in run with id {data['run_id']}")
    await wire.write(UpdateRun(run.id, time=wire.now(), **changes))
    return {}


async def log_batch(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Log values, parameters and tags: all that is wrong is found before anything is written."""
    found = [points.read_point(item) for item in fields.objects(data, "metrics", most=MOST_METRICS)]
    params = _params(fields.objects(data, "params", most=MOST_PARAMS))
    tags = _texts(fields.objects(data, "tags", most=MOST_TAGS))
    return await _logged(wire, run_id(data), found, params, tags)


async def log_inputs(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Log the datasets and models that a run read."""
    uuid = fields.required_text(data, "run_id")
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid)
        datasets = dataset_changes(run, fields.objects(data, "datasets", most=MOST_DATASETS))
        models = [fields.required_text(item, "model_id") for item in fields.objects(data, "models", most=100)]
        known = run.sys_metadata.get(INPUTS, [])
        inputs = {INPUTS: list(dict.fromkeys([*known, *models]))} if models else {}
        await wire.write(UpdateRun(run.id, time=wire.now(), datasets=datasets, sys_metadata=inputs))
    return {}


async def log_outputs(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Log the models that a run made."""
    uuid = fields.required_text(data, "run_id")
    found = {
        fields.required_text(item, "model_id"): fields.integer(item, "step") or 0
        for item in fields.objects(data, "models", most=100)
    }
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid)
        outputs = {**run.sys_metadata.get(OUTPUTS, {}), **found}
        await wire.write(UpdateRun(run.id, time=wire.now(), sys_metadata={OUTPUTS: outputs}))
    return {}


async def log_model(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """Remember that a model was logged, as a tag and as the run's type of model."""
    uuid = run_id(data)
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid)
        text, flavor = history_with(run, MODELS_TAG, fields.required_text(data, "model_json"))
        await wire.write(UpdateRun(run.id, time=wire.now(), dev_metadata={MODELS_TAG: text}, model=flavor))
    return {}


async def get_history(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """All values of a metric."""
    run = await wire.run(run_id(data), curve=True)
    found = await _history(wire, run, fields.required_text(data, "metric_key"))
    return {"metrics": [points.point_object(point) for point in found]}


async def get_history_bulk(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """All values of a metric of several runs, as the pages of MLflow ask for them."""
    runs = fields.texts(data, "run_id", most=MOST_RUNS) or fields.texts(data, "run_ids", most=MOST_RUNS)
    first, last = fields.integer(data, "start_step"), fields.integer(data, "end_step")
    key, most = fields.required_text(data, "metric_key"), fields.integer(data, "max_results")
    shown: list[dict[str, Any]] = []
    for uuid in runs:
        found = await _history(wire, await wire.run(uuid, curve=True), key)
        wanted = [
            point
            for point in found
            if (first is None or point.step >= first) and (last is None or point.step <= last)
        ]
        shown += [{**points.point_object(point), "run_id": uuid} for point in wanted[:most]]
    return {"metrics": shown}


async def _history(wire: Wire, run: Run, key: str) -> list[Point]:
    texts = await wire.backend.read(wire.backend.log.texts, run.id)
    return points.history(run, key, texts.get(points.STREAM, ""))


async def _logged(
    wire: Wire, uuid: str, found: list[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> dict[str, Any]:
    if not params:
        run = await wire.active_run(uuid)
        await wire.write(*_writes(wire, run, found, {}, tags))
        return {}
    async with wire.alone(wire.number(uuid)):
        run = await wire.active_run(uuid)
        await wire.write(*_writes(wire, run, found, _new_params(run, params), tags))
    return {}


def _writes(
    wire: Wire, run: Run, found: list[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[Write]:
    now = wire.now()
    if params or tags:
        values, written = facts.param_changes(params)
        changes = facts.tag_changes(tags)
        yield UpdateRun(run.id, time=now, assignments=values, sys_metadata=written, **changes)
    yield from points.point_writes(run.id, found, wire.latest.newest(run.id, found), now)


def _new_params(run: Run, params: Mapping[str, str]) -> dict[str, str]:
    """Those that the run does not have yet.

    Raises:
        MlflowRefusal: One has another value already.
    """
    known = facts.params_of(run)
    changed = sorted(name for name, text in params.items() if known.get(name, text) != text)
    if changed:
        name = changed[0]
        rule = (
            f"Changing param values is not allowed. Param with key='{name}' was already logged "
            f"with value='{known[name][:100]}'; the attempted value is '{params[name][:100]}'"
        )
        raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Log it to a run of its own.")
    return {name: text for name, text in params.items() if name not in known}


def _texts(items: list[Data]) -> dict[str, str]:
    """Texts by key; of several the last one counts."""
    return {fields.key(item): fields.text(item, "value") or "" for item in items}


def _params(items: list[Data]) -> dict[str, str]:
    """Parameters by key.

    Raises:
        MlflowRefusal: One has two values.
    """
    found = _texts(items)
    twice = next((item["key"] for item in items if found[item["key"]] != (item.get("value") or "")), None)
    if twice is not None:
        rule = f"Duplicate parameter keys have been submitted: {twice!r}"
        raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Send each parameter once.")
    return found
