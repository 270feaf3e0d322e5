"""Tags: declared with a color, put on runs one at a time."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.ports import Tag
from heliostat.service.calls import Call, ReadCall, WriteCall, reply
from heliostat.service.errors import Refused
from heliostat.service.openapi import takes
from heliostat.service.wire.fields import check_client, id_of, now
from heliostat.service.wire.paging import page
from heliostat.service.wire.tag_book import TagBook
from heliostat.service.wire.training_runs import shown
from heliostat.tracking import given
from heliostat.writes import CreateTag, UpdateRun

router = APIRouter(tags=["tags"])


@router.get("/clients/{client}/tags")
async def fetch_all(call: ReadCall, client: str) -> Response:
    """All declared tags."""
    check_client(call, client)
    tags = await call.read(call.log.tags)
    return reply(page(tags, call, lambda tag: tag_object(tag, call.settings.client)))


@router.post(
    "/clients/{client}/tags",
    openapi_extra=takes({"name": "good", "color": "#3366cc"}, required=["name", "color"]),
)
async def create(call: WriteCall, client: str) -> Response:
    """Declare a tag; 409 if there is one of this name."""
    check_client(call, client)
    body = await call.body()
    schema.only_keys(body, "the tag", ("name", "color"))
    name = given.name(schema.required(body, "name", ""), "name")
    color = schema.required(body, "color", "")
    if not isinstance(color, str):
        raise InvalidValue("color", "must be #RRGGBB", given=color)
    (done,) = await call.write(CreateTag(name, color, time=now(), key=call.key("tag")))
    call.backend.part(TagBook).forget()
    return reply(tag_object(Tag(done.id or 0, name, color), call.settings.client))


@router.post("/training_runs/{run}/tags", openapi_extra=takes({"id": "1"}, required=["id"]))
async def put_on(call: WriteCall, run: str) -> Response:
    """Put a declared tag on a run; 422 if there is none of this id."""
    id = id_of(run, "run")
    body = await call.body()
    schema.only_keys(body, "the tag", ("id",))
    tag = await _tag(call, str(schema.required(body, "id", "")))
    await call.write(UpdateRun(id, time=now(), tags={tag.name: True}, key=call.key("tag")))
    return reply(await shown(call, id))


@router.delete("/training_runs/{run}/tags/{tag}")
async def take_off(call: WriteCall, run: str, tag: str) -> Response:
    """Take a tag off a run."""
    id = id_of(run, "run")
    found = await _tag(call, tag)
    await call.write(UpdateRun(id, time=now(), tags={found.name: False}))
    return reply(await shown(call, id))


def tag_object(tag: Tag, client: str = "1") -> dict[str, Any]:
    """A ``tag``."""
    return {"object": "tag", "id": str(tag.id), "name": tag.name, "color": tag.color, "client": client}


async def _tag(call: Call, id: str) -> Tag:
    for tag in await call.read(call.log.tags):
        if str(tag.id) == id:
            return tag
    raise Refused(422, f"no tag has the id {id[:40]!r}", remedy="Declare it first.", code="HS-NOTFOUND-004")
