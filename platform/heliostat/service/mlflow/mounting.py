"""The routes of MLflow's wire, and the border that all of its calls cross."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from heliostat.errors import HeliostatError, InvalidValue
from heliostat.service.backend import Backend
from heliostat.service.callers import Caller
from heliostat.service.calls import CALLER, reply
from heliostat.service.errors import Refused, error_headers
from heliostat.service.mlflow import (
    artifact_calls,
    experiment_calls,
    logging_calls,
    model_calls,
    run_calls,
)
from heliostat.service.mlflow.refusals import (
    MlflowRefusal,
    error_code_of,
    not_carried,
    refusal_object,
    refusal_status,
)
from heliostat.service.mlflow.wire import Wire
from heliostat.service.strict_json import read_json

Answer = Callable[[Wire, dict[str, Any], Caller], Awaitable[dict[str, Any]]]
FileAnswer = Callable[[Wire, Request, Caller], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

VERSION = "3.17.2"
"""The MLflow whose wire this is: clients ask for it."""

PREFIXES = ("/api/2.0", "/ajax-api/2.0")

_READ, _WRITE = "read", "write"

CALLS: tuple[tuple[str, str, str, Answer], ...] = (
    ("POST", "experiments/create", _WRITE, experiment_calls.create_experiment),
    ("GET", "experiments/get", _READ, experiment_calls.get_experiment),
    ("GET", "experiments/get-by-name", _READ, experiment_calls.get_experiment_by_name),
    ("GET", "experiments/search", _READ, experiment_calls.search_experiments),
    ("POST", "experiments/search", _READ, experiment_calls.search_experiments),
    ("POST", "experiments/update", _WRITE, experiment_calls.update_experiment),
    ("POST", "experiments/delete", _WRITE, experiment_calls.delete_experiment),
    ("POST", "experiments/restore", _WRITE, experiment_calls.restore_experiment),
    ("POST", "experiments/set-experiment-tag", _WRITE, experiment_calls.set_experiment_tag),
    ("POST", "experiments/delete-experiment-tag", _WRITE, experiment_calls.delete_experiment_tag),
    ("POST", "runs/create", _WRITE, run_calls.create_run),
    ("GET", "runs/get", _READ, run_calls.get_run),
    ("POST", "runs/search", _READ, run_calls.search_runs),
    ("POST", "runs/update", _WRITE, run_calls.update_run),
    ("POST", "runs/delete", _WRITE, run_calls.delete_run),
    ("POST", "runs/restore", _WRITE, run_calls.restore_run),
    ("POST", "runs/log-metric", _WRITE, logging_calls.log_metric),
    ("POST", "runs/log-parameter", _WRITE, logging_calls.log_parameter),
    ("POST", "runs/log-batch", _WRITE, logging_calls.log_batch),
    ("POST", "runs/log-inputs", _WRITE, logging_calls.log_inputs),
    ("POST", "runs/outputs", _WRITE, logging_calls.log_outputs),
    ("POST", "runs/log-model", _WRITE, logging_calls.log_model),
    ("POST", "runs/set-tag", _WRITE, logging_calls.set_tag),
    ("POST", "runs/delete-tag", _WRITE, logging_calls.delete_tag),
    ("GET", "metrics/get-history", _READ, logging_calls.get_history),
    ("GET", "metrics/get-history-bulk", _READ, logging_calls.get_history_bulk),
    ("GET", "metrics/get-history-bulk-interval", _READ, logging_calls.get_history_bulk),
    ("GET", "artifacts/list", _READ, artifact_calls.list_artifacts),
    ("POST", "logged-models", _WRITE, model_calls.create_model),
    ("POST", "logged-models/search", _READ, model_calls.search_models),
    ("GET", "logged-models/{model_id}", _READ, model_calls.get_model),
    ("PATCH", "logged-models/{model_id}", _WRITE, model_calls.finalize_model),
    ("PATCH", "logged-models/{model_id}/tags", _WRITE, model_calls.set_model_tags),
    ("DELETE", "logged-models/{model_id}/tags/{tag_key}", _WRITE, model_calls.delete_model_tag),
    ("POST", "logged-models/{model_id}/params", _WRITE, model_calls.log_model_params),
    ("GET", "logged-models/{model_id}/artifacts/directories", _READ, model_calls.list_model_artifacts),
)
"""Method, path below ``/api/2.0/mlflow``, the right it takes, and what answers."""

FILES: tuple[tuple[str, str, str, FileAnswer], ...] = (
    ("GET", "mlflow-artifacts/artifacts/{path:path}", _READ, artifact_calls.download),
    ("PUT", "mlflow-artifacts/artifacts/{path:path}", _WRITE, artifact_calls.upload),
    ("DELETE", "mlflow-artifacts/artifacts/{path:path}", _WRITE, artifact_calls.delete_artifact),
    ("POST", "mlflow-artifacts/mpu/{path:path}", _WRITE, artifact_calls.refuse_parts),
    ("GET", "mlflow-artifacts/presigned/{path:path}", _READ, artifact_calls.refuse_parts),
    ("GET", "mlflow/get-artifact", _READ, artifact_calls.get_artifact),
)

FAMILIES = {
    "registered-models": "registry of models",
    "model-versions": "registry of models",
    "traces": "traces",
    "unified-traces": "traces",
    "get-online-trace-details": "traces",
    "gateway": "gateway",
    "webhooks": "webhooks",
    "datasets": "evaluation datasets",
    "scorers": "scorers",
    "issues": "issues",
    "label-schemas": "label schemas",
    "review-queues": "review queues",
    "prompt-optimization": "prompt optimization",
    "workspaces": "workspaces",
    "jobs": "jobs",
    "logged-models": "deleting of models",
}
"""First parts of paths that MLflow has and we have not, by what they are."""

INFO = {
    "store_type": "HeliostatRunLog",
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
}

_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def mount(app: FastAPI, backend: Backend) -> None:
    """Add MLflow's routes to the service's application."""
    wire = backend.part(Wire)

    def add(verb: str, path: str, endpoint: Endpoint) -> None:
        app.router.add_route(path, endpoint, methods=[verb], include_in_schema=False)

    for prefix in PREFIXES:
        add("GET", f"{prefix}/mlflow-artifacts/artifacts", _json(wire, _READ, artifact_calls.list_proxied))
        for verb, path, right, answer in CALLS:
            add(verb, f"{prefix}/mlflow/{path}", _json(wire, right, answer))
        for verb, path, right, send in FILES:
            add(verb, f"{prefix}/{path}", _file(wire, right, send))
    add("GET", "/get-artifact", _file(wire, _READ, artifact_calls.get_artifact))
    add("GET", "/api/3.0/mlflow/server-info", _info)
    add("GET", "/ajax-api/3.0/mlflow/server-info", _info)
    add("GET", "/version", _version)
    add("GET", "/health", _health)
    for root in ("/api", "/ajax-api"):
        backend.dialects[f"{root}/"] = lambda error: {"error_code": error_code_of(error)}
        app.router.add_route(
            f"{root}/{{version}}/{{rest:path}}", _unknown, methods=_VERBS, include_in_schema=False
        )


def _json(wire: Wire, right: str, answer: Answer) -> Endpoint:
    async def send(wire: Wire, request: Request, caller: Caller) -> Response:
        data = await _data(wire, request)
        return reply(await answer(wire, {**data, **request.path_params}, caller))

    return _file(wire, right, send)


def _file(wire: Wire, right: str, send: FileAnswer) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        caller: Caller = request.scope[CALLER]
        try:
            caller.require(right)
            await wire.prepare()
            return await send(wire, request, caller)
        except HeliostatError as error:
            return _refused(request, error)

    return endpoint


async def _data(wire: Wire, request: Request) -> dict[str, Any]:
    """The fields of a call: its arguments for GET and HEAD, else its body."""
    if request.method in ("GET", "HEAD"):
        found: dict[str, Any] = {}
        for name, value in request.query_params.multi_items():
            found[name] = value if name not in found else [*_listed(found[name]), value]
        return found
    content = await request.body()
    if not content:
        return {}
    declared = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if declared not in ("application/json", "text/plain", ""):
        raise Refused(415, f"bodies must be application/json, not {declared[:100]!r}")
    body = read_json(content, depth=wire.backend.settings.max_depth)
    if not isinstance(body, dict):
        raise InvalidValue("body", "must be a JSON object", given=type(body).__name__)
    return body


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _refused(request: Request, error: HeliostatError) -> Response:
    request.app.state.record.fault(error, b"")
    answer = reply(refusal_object(error), refusal_status(error))
    answer.headers.update(error_headers(error))
    return answer


async def _unknown(request: Request) -> Response:
    """All that MLflow may ask beyond what is carried."""
    parts = str(request.path_params["rest"]).split("/")
    family = FAMILIES.get(parts[1]) if len(parts) > 1 and parts[0] == "mlflow" else None
    rule = f"{request.method} {request.url.path[:200]} is no call of MLflow's that Heliostat knows"
    known = not_carried(family) if family else MlflowRefusal("ENDPOINT_NOT_FOUND", rule)
    return _refused(request, known)


async def _info(request: Request) -> Response:
    return reply(INFO)


async def _version(request: Request) -> Response:
    return PlainTextResponse(VERSION)


async def _health(request: Request) -> Response:
    return PlainTextResponse("OK")
