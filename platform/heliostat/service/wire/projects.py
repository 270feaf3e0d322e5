"""Projects and their notes.

A project comes into being with its first run or experiment. Who may write therefore finds every project, an
empty one if need be: code written for SigOpt asks for its project before it logs, and would give up.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import Conflict
from heliostat.ports import Note, ProjectRecord
from heliostat.service.callers import PERMISSIONS, hidden
from heliostat.service.calls import Call, ReadCall, SharedCall, WriteCall, reply
from heliostat.service.openapi import takes
from heliostat.service.wire.fields import check_client, now, project_of, scalars, text
from heliostat.service.wire.paging import fields_of, limit_of, page_object
from heliostat.tracking import given
from heliostat.writes import AddNote, SettleProject

router = APIRouter(tags=["projects"])

LONGEST_NOTE = 2**20
"""Characters of a project's notes."""

HIDDEN = "heliostat."
"""Metadata under such keys is the service's own."""


@router.get("/clients/{client}/projects")
async def fetch_all(call: ReadCall, client: str) -> Response:
    """All projects, the newest first."""
    check_client(call, client)
    found = [item for item in await call.read(call.log.projects) if not item.archived]
    shown = [project_object(item, call.settings.client) for item in reversed(found)]
    cut = shown[: limit_of(call)]
    return reply(page_object(cut, len(shown), None, None, fields_of(call.request)))


@router.post(
    "/clients/{client}/projects",
    openapi_extra=takes({"id": "iris", "name": "Iris", "metadata": {"team": "a"}}, required=["id", "name"]),
)
async def create(call: WriteCall, client: str) -> Response:
    """Create a project; 409 if there is one of this id."""
    check_client(call, client)
    body = await call.body()
    schema.only_keys(body, "the project", ("id", "name", "metadata"))
    id = given.project(schema.required(body, "id", ""))
    name = given.name(schema.required(body, "name", ""), "name")
    if await _found(call, id) is not None and not call.is_keyed:
        rule = f"the project {id!r} is there already"
        raise Conflict(rule, remedy="Use it as it is.", code="HS-CONFLICT-007")
    return reply(await _settled(call, id, name=name, metadata=scalars(body.get("metadata"), "metadata")))


@router.get("/clients/{client}/projects/{project}")
async def fetch(call: SharedCall, client: str, project: str) -> Response:
    """One project."""
    call.caller.require_project(project)
    return reply(await _known(call, project_of(call, client, project)))


@router.put(
    "/clients/{client}/projects/{project}",
    openapi_extra=takes({"name": "Iris", "metadata": {"team": "a"}, "deleted": False}),
)
async def update(call: WriteCall, client: str, project: str) -> Response:
    """Change what is given of a project."""
    id = project_of(call, client, project)
    body = await call.body()
    schema.only_keys(body, "the project", ("name", "metadata", "deleted"))
    changes: dict[str, Any] = {}
    if "name" in body:
        changes["name"] = given.name(body["name"], "name")
    if "metadata" in body:
        changes["metadata"] = scalars(body["metadata"], "metadata")
    if body.get("deleted") is not None:
        changes["archived"] = schema.flag(body["deleted"], "deleted")
    return reply(await _settled(call, id, **changes))


@router.get("/clients/{client}/projects/{project}/notes")
async def fetch_notes(call: SharedCall, client: str, project: str) -> Response:
    """The notes as they are now, at most one object."""
    call.caller.require_project(project)
    id = project_of(call, client, project)
    found = [_note_object(item, call.settings.client) for item in await call.read(call.log.notes, id)]
    return reply(page_object(found[-1:], len(found[-1:]), None, None))


@router.post(
    "/clients/{client}/projects/{project}/notes",
    openapi_extra=takes({"contents": "# What we found"}, required=["contents"]),
)
async def create_note(call: WriteCall, client: str, project: str) -> Response:
    """Write the notes anew, in Markdown; earlier versions stay in the log."""
    id = project_of(call, client, project)
    body = await call.body()
    schema.only_keys(body, "the note", ("contents",))
    contents = text(schema.required(body, "contents", ""), "contents", longest=LONGEST_NOTE)
    time = now()
    note = AddNote(id, contents, time=time, user=call.caller.user, key=call.key("note"))
    (done,) = await call.write(note)
    return reply(_note_object(Note(done.id or 0, id, contents, call.caller.user, time), call.settings.client))


def project_object(project: ProjectRecord, client: str = "1") -> dict[str, Any]:
    """A ``project``."""
    shown = {key: item for key, item in project.metadata.items() if not key.startswith(HIDDEN)}
    return {
        "object": "project",
        "id": project.id,
        "name": project.name,
        "client": client,
        "user": None,
        "created": int(project.created),
        "updated": int(project.updated or project.created),
        "metadata": shown or None,
        "experiment_count": project.experiments,
        "training_run_count": project.runs,
        "deleted": project.archived,
    }


async def _found(call: Call, id: str) -> ProjectRecord | None:
    projects = await call.read(call.log.projects)
    return next((item for item in projects if item.id == id), None)


async def _known(call: Call, id: str) -> dict[str, Any]:
    found = await _found(call, id)
    if found is None:
        if PERMISSIONS.index(call.caller.permission) < PERMISSIONS.index("write"):
            raise hidden("project", id)
        time = now()
        found = ProjectRecord(id, id, time, time, {}, archived=False, experiments=0, runs=0)
    return project_object(found, call.settings.client)


async def _settled(call: Call, id: str, **changes: Any) -> dict[str, Any]:
    await call.write(SettleProject(id, time=now(), key=call.key("project"), **changes))
    return await _known(call, id)


def _note_object(note: Note, client: str) -> dict[str, Any]:
    return {
        "object": "note",
        "id": str(note.id),
        "client": client,
        "project": note.project,
        "contents": note.text,
        "user": note.user or None,
        "created": int(note.created),
    }
