"""The calls about artifacts: files of runs in the log, up and down through the service."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from heliostat.errors import NotFound
from heliostat.ports import FileRecord
from heliostat.service.callers import Caller
from heliostat.service.mlflow import artifacts, fields, models, views
from heliostat.service.mlflow.artifacts import Place
from heliostat.service.mlflow.fields import Data
from heliostat.service.mlflow.refusals import MlflowRefusal, not_carried
from heliostat.service.mlflow.run_calls import run_id
from heliostat.service.mlflow.wire import Wire
from heliostat.trial import Run
from heliostat.writes import AddFile


async def list_artifacts(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """What lies in a folder of a run."""
    run = await wire.run(run_id(data))
    folder = (fields.text(data, "path") or "").strip("/")
    project = await wire.project_of(run)
    if views.LOCATION in project.metadata:
        raise not_carried("lists of artifacts that lie elsewhere")
    root = views.run_info(run, project, wire.identity)["artifact_uri"]
    return {"root_uri": root, "files": await listed(wire, run, "", folder)}


async def list_proxied(wire: Wire, data: Data, caller: Caller) -> dict[str, Any]:
    """What lies in a folder of a run or model, with paths that begin there."""
    place = artifacts.read_place(fields.text(data, "path") or "")
    run = await _owner(wire, place)
    start = f"{place.path}/" if place.path else ""
    found = await listed(wire, run, place.model, place.path)
    return {"files": [{**item, "path": item["path"][len(start) :]} for item in found]}


async def listed(wire: Wire, run: Run, model: str, folder: str) -> list[dict[str, Any]]:
    """What lies in a folder of a run, or of one of its models."""
    if folder:
        artifacts.safe_path(folder)
    records = await wire.backend.read(wire.backend.log.files, run.id)
    found = artifacts.listing(artifacts.newest(records, _base(model)), folder)
    return [
        {"path": path, "is_dir": True} if size is None else {"path": path, "is_dir": False, "file_size": size}
        for path, size in found
    ]


async def upload(wire: Wire, request: Request, caller: Caller) -> Response:
    """Keep a file; the same content at the same place again is the same file."""
    place = artifacts.read_place(request.path_params["path"])
    artifacts.safe_path(place.path)
    run = await _owner(wire, place, is_write=True)
    content = await request.body()
    name = "/".join(part for part in (_base(place.model), place.path) if part)
    async with wire.alone(run.id):
        known = await _newest(wire, run, place)
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        if known is None or (known.md5, known.size) != (digest, len(content)):
            type_ = artifacts.content_type(request.headers.get("content-type"))
            await wire.write(
                AddFile(
                    run.id,
                    name,
                    content,
                    time=wire.now(),
                    content_type=type_,
                    filename=place.path.rpartition("/")[2],
                )
            )
    return Response(b"{}", media_type="application/json")


async def download(wire: Wire, request: Request, caller: Caller) -> Response:
    """A file's content, for saving: no browser shows it as a page of ours."""
    return await _sent(wire, artifacts.read_place(request.path_params["path"]))


async def get_artifact(wire: Wire, request: Request, caller: Caller) -> Response:
    """The same by run and path, as old clients and MLflow's pages ask."""
    data = dict(request.query_params)
    run = await wire.run(run_id(data))
    uuid = str(views.run_info(run, await wire.project_of(run), wire.identity)["run_id"])
    return await _sent(wire, Place("", uuid, "", fields.required_text(data, "path")))


async def delete_artifact(wire: Wire, request: Request, caller: Caller) -> Response:
    """Nothing is ever deleted from a run log."""
    raise not_carried("deleting of artifacts")


async def refuse_parts(wire: Wire, request: Request, caller: Caller) -> Response:
    """Uploads in several parts; the words are those by which clients know to send the file whole."""
    rule = "Multipart upload is not supported for the current artifact repository"
    raise MlflowRefusal("NOT_IMPLEMENTED", rule)


async def _sent(wire: Wire, place: Place) -> Response:
    artifacts.safe_path(place.path)
    run = await _owner(wire, place)
    record = await _newest(wire, run, place)
    if record is None:
        raise NotFound(f"No such artifact: {place.path}", remedy="See artifacts/list.")
    _, content = await wire.backend.read(wire.backend.log.file, record.id)
    name = quote(place.path.rpartition("/")[2])
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


async def _owner(wire: Wire, place: Place, *, is_write: bool = False) -> Run:
    """The run whose files hold the artifact.

    Raises:
        NotFound: There is no such run or model, or it is another experiment's.
        MlflowRefusal: It was deleted and would be written to.
    """
    if place.model:
        run = await wire.model_run(place.model)
        models.model_of(run, place.model)
    else:
        run = await (wire.active_run(place.run) if is_write else wire.run(place.run))
    project = await wire.project_of(run)
    if place.experiment and views.experiment_object(project)["experiment_id"] != place.experiment:
        raise NotFound(f"Run with id={place.run or place.model} not found in this experiment")
    return run


async def _newest(wire: Wire, run: Run, place: Place) -> FileRecord | None:
    records = await wire.backend.read(wire.backend.log.files, run.id)
    return artifacts.newest(records, _base(place.model)).get(place.path)


def _base(model: str) -> str:
    return f"{artifacts.MODELS}/{model}" if model else ""
