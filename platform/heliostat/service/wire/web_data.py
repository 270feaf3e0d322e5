"""Saved views of SigOpt's pages: named pieces of JSON that belong to a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.service.callers import hidden
from heliostat.service.calls import Call, ReadCall, WriteCall, reply
from heliostat.service.strict_json import read_json, write_json
from heliostat.service.wire.fields import now
from heliostat.service.wire.paging import page_object
from heliostat.service.wire.projects import HIDDEN
from heliostat.tracking import given
from heliostat.writes import SettleProject, new_key

router = APIRouter(tags=["web data"])

LARGEST = 2**18
"""Bytes of one view."""

_PREFIX = f"{HIDDEN}web_data."
_ID = re.compile(r"[0-9a-f]{32}")
_KEYS = ("id", "parent_resource_type", "parent_resource_id", "web_data_type", "display_name", "payload")


@router.get("/web_data")
async def fetch_all(call: ReadCall) -> Response:
    """The views of a project, or of all."""
    wanted = call.request.query_params.get("parent_resource_id")
    project = None if not wanted else _project(read_json(wanted.encode("utf-8", "replace")))
    kind = call.request.query_params.get("web_data_type")
    found = [
        item
        for _, item in await _views(call)
        if project in (None, item["parent_resource_id"]["project"]) and kind in (None, item["web_data_type"])
    ]
    return reply(page_object(found, len(found), None, None))


@router.post("/web_data")
async def create(call: WriteCall) -> Response:
    """Save a view."""
    body = await call.body()
    project = _project(schema.required(body, "parent_resource_id", ""))
    return reply(await _saved(call, project, new_key(), _read(body), now()))


@router.put("/web_data")
async def update(call: WriteCall) -> Response:
    """Save a view anew, by its `id`."""
    body = await call.body()
    known, item = await _view(call, str(schema.required(body, "id", "")))
    merged = _read({**item, **body, "object": None})
    return reply(await _saved(call, known, item["id"], merged, item["created"]))


@router.delete("/web_data")
async def delete(call: WriteCall) -> Response:
    """Forget a view, by its `id`."""
    id = call.request.query_params.get("id") or str(schema.required(await call.body(), "id", ""))
    project, item = await _view(call, id)
    await call.write(SettleProject(project, time=now(), metadata={_PREFIX + item["id"]: None}))
    return reply({})


def _read(body: Mapping[str, Any]) -> dict[str, Any]:
    data = {key: item for key, item in body.items() if key not in ("object", "created", "updated")}
    schema.only_keys(data, "the view", _KEYS)
    schema.choice(data.get("parent_resource_type", "project"), "parent_resource_type", ("project",))
    found = {
        "display_name": given.name(schema.required(data, "display_name", ""), "display_name"),
        "web_data_type": given.name(data.get("web_data_type", "run_view"), "web_data_type"),
        "payload": schema.mapping(schema.required(data, "payload", ""), "payload"),
    }
    if len(write_json(found)) > LARGEST:
        raise InvalidValue("payload", f"must have at most {LARGEST} bytes")
    return found


def _project(value: Any) -> str:
    data = schema.mapping(value, "parent_resource_id")
    return given.project(schema.required(data, "project", "parent_resource_id"))


async def _saved(
    call: Call, project: str, id: str, view: Mapping[str, Any], created: float
) -> dict[str, Any]:
    kept = {**view, "created": int(created), "updated": int(now())}
    await call.write(SettleProject(project, time=now(), metadata={_PREFIX + id: kept}))
    return _view_object(call, project, id, kept)


async def _views(call: Call) -> list[tuple[str, dict[str, Any]]]:
    return [
        (project.id, _view_object(call, project.id, key.removeprefix(_PREFIX), item))
        for project in await call.read(call.log.projects)
        for key, item in project.metadata.items()
        if key.startswith(_PREFIX)
    ]


async def _view(call: Call, id: str) -> tuple[str, dict[str, Any]]:
    for project, item in await _views(call) if _ID.fullmatch(id) else ():
        if item["id"] == id:
            return project, item
    raise hidden("view", id[:100])


def _view_object(call: Call, project: str, id: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "object": "web_data",
        "id": id,
        "parent_resource_type": "project",
        "parent_resource_id": {"client": call.settings.client, "project": project},
        **item,
    }
