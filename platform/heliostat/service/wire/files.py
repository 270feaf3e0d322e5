"""Files of runs: asked for by JSON, moved at addresses of ours that carry their own proof."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.service.backend import Backend
from heliostat.service.calls import SharedCall, WriteCall, reply
from heliostat.service.errors import Refused
from heliostat.service.openapi import takes
from heliostat.service.tickets import facts_of, sign
from heliostat.service.wire.fields import id_of, now
from heliostat.service.wire.paging import page
from heliostat.service.wire.run_objects import file_object
from heliostat.tracking import given
from heliostat.tracking.images import TYPES
from heliostat.writes import AddFile

router = APIRouter(tags=["files"])

KEYS = ("content_length", "content_md5", "content_type", "name", "filename")
_MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")
_TYPE = re.compile(r"[a-z0-9][a-z0-9.+\-]{0,60}/[a-z0-9][a-z0-9.+\-]{0,60}")
_INLINE = frozenset(TYPES.values()) - {"image/svg+xml"}  # an SVG may hold scripts
_POLICY = "default-src 'none'; sandbox"


@router.post(
    "/training_runs/{run}/files",
    openapi_extra=takes(
        {
            "content_length": 2,
            "content_md5": "1B2M2Y8AsgTpgAmY7PhCfg==",
            "content_type": "image/png",
            "name": "loss",
            "filename": "loss.png",
        },
        required=["content_length", "content_md5", "content_type"],
    ),
)
async def create(call: WriteCall, run: str) -> Response:
    """Ask for an address to upload a file to; its id comes with the upload's reply."""
    id = id_of(run, "run")
    body = await call.body()
    schema.only_keys(body, "the file", KEYS)
    size = schema.integer(schema.required(body, "content_length", ""), "content_length", at_least=0)
    if size > call.settings.max_file:
        raise InvalidValue("content_length", f"must be at most {call.settings.max_file}", given=size)
    kind = schema.required(body, "content_type", "")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise InvalidValue("content_type", "must be a MIME type without arguments", given=kind)
    md5 = schema.required(body, "content_md5", "")
    if not isinstance(md5, str) or not _MD5.fullmatch(md5):
        raise InvalidValue("content_md5", "must be 16 bytes in base64", given=md5)
    filename = None if body.get("filename") is None else _filename(body["filename"])
    name = given.name(body.get("name") or filename or "file", "name")
    known = await call.read(call.log.run, id)
    facts = {"run": known.id, "name": name, "filename": filename, "type": kind, "md5": md5, "size": size}
    ticket = await call.read(sign, call.backend, call.caller, {**facts, "put": call.key("file")})
    upload = {
        "object": "s3_upload",
        "url": f"{call.base_url}/v1/tickets/{ticket}",
        "method": "PUT",
        "headers": {"Content-Type": kind, "Content-MD5": md5},
    }
    return reply(
        {
            "object": "file",
            "id": None,
            "training_run": str(id),
            "client": call.settings.client,
            "user": call.caller.user or None,
            "name": name,
            "filename": filename,
            "created": int(now()),
            "content_length": size,
            "content_type": kind,
            "content_md5": md5,
            "upload": upload,
        }
    )


@router.get("/training_runs/{run}/files")
async def fetch_all(call: SharedCall, run: str) -> Response:
    """A run's files."""
    known = await call.read(call.log.run, id_of(run, "run"))
    call.caller.check_run(known)
    files = await call.read(call.log.files, known.id)
    return reply(page(files, call, lambda file: file_object(file, call.settings.client)))


@router.get("/files/{file}")
async def fetch(call: SharedCall, file: str) -> Response:
    """A file, with an address to download it from."""
    record, _ = await call.read(call.log.file, id_of(file, "file"))
    known = await call.read(call.log.run, record.run)
    call.caller.check_run(known)
    ticket = await call.read(sign, call.backend, call.caller, {"get": record.id})
    download = {"object": "download", "url": f"{call.base_url}/v1/tickets/{ticket}"}
    return reply({**file_object(record, call.settings.client), "download": download})


@router.put("/tickets/{ticket}")
async def upload(request: Request, ticket: str) -> Response:
    """Take a file at the address that was given for it. The same again is the same file."""
    backend: Backend = request.app.state.backend
    facts = await backend.read(facts_of, backend, ticket)
    if "put" not in facts:
        raise Refused(405, "this address is for downloads")
    content = await request.body()
    if len(content) != facts["size"]:
        raise InvalidValue("content_length", f"must be {facts['size']} as was said", given=len(content))
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    if md5 != facts["md5"]:
        raise InvalidValue("content_md5", f"must be {facts['md5']} as was said", given=md5)
    write = AddFile(
        facts["run"],
        facts["name"],
        content,
        time=now(),
        content_type=facts["type"],
        filename=facts["filename"],
        key=facts["put"],
    )
    (done,) = await backend.write(write)
    return reply({"object": "file", "id": str(done.id), "training_run": str(facts["run"])})


@router.get("/tickets/{ticket}")
async def download(request: Request, ticket: str) -> Response:
    """A file's content. It is never shown as a page of ours: what it holds is a stranger's."""
    backend: Backend = request.app.state.backend
    facts = await backend.read(facts_of, backend, ticket)
    if "get" not in facts:
        raise Refused(405, "this address is for an upload")
    record, content = await backend.read(backend.log.file, facts["get"])
    shown = "inline" if record.content_type in _INLINE else "attachment"
    name = quote(record.filename or record.name, safe="")
    headers = {
        "Content-Disposition": f"{shown}; filename*=UTF-8''{name}",
        "Content-Security-Policy": _POLICY,
        "Content-MD5": record.md5,
    }
    return Response(content, media_type=record.content_type, headers=headers)


def _filename(value: Any) -> str:
    """A name to save a file under: one part, which leads nowhere."""
    name = given.name(value, "filename")
    if name in (".", "..") or any(char in name for char in "/\\:"):
        rule = "must be a name without folders"
        raise InvalidValue("filename", rule, given=value, remedy="Send the last part of the path.")
    return name
