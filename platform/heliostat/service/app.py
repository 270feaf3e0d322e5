"""The service as an ASGI application: the gate, and behind it the routes of every module of ``wire``."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import heliostat
from heliostat import pages
from heliostat.errors import HeliostatError, InvalidValue
from heliostat.ports import RunLog
from heliostat.service import operations, wire
from heliostat.service.backend import Backend
from heliostat.service.calls import reply
from heliostat.service.errors import Refused, error_headers, error_object
from heliostat.service.gate import Gate
from heliostat.service.openapi import describe
from heliostat.service.settings import ServiceSettings, read_settings
from heliostat.service.telemetry import Telemetry

MLFLOW = "heliostat.service.mlflow"
"""Its ``mount(app, backend)`` adds MLflow's wire, where it is there."""

_BUSY = ("verbs", "checkpoints", "training_runs", "suggestions", "observations", "aiexperiments")
"""Modules of the calls that come most: FastAPI tries one route after the other."""

_ABOUT = """SigOpt's v1 wire, spoken by a run log that you own.

Every success is 200; `X-Response-Content: skip` makes it 204 without content. Errors are
`{"message", "status", "code"}`. Tokens go as the user of HTTP Basic or as Bearer.
MERGE, SigOpt's verb, is also to be had as PATCH."""


def create_app(settings: ServiceSettings | None = None, *, log: RunLog | None = None) -> FastAPI:
    """The application.

    Args:
        settings: How it is set up; by default what the environment says.
        log: An open run log to use instead of opening the one that the settings name.

    Raises:
        StorageError: The run log cannot be opened.
    """
    backend = Backend(settings or read_settings(), log)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _build_routes(app)
        visiting = asyncio.create_task(backend.part(Telemetry).keep_visiting())
        preparing = asyncio.create_task(_rehearsed(backend))
        yield
        visiting.cancel()
        preparing.cancel()
        backend.close()

    app = FastAPI(
        title="Heliostat",
        version=heliostat.__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its scripts come from another site
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.backend = backend
    app.state.record = backend.record
    app.include_router(operations.router)
    for router in routers():
        app.include_router(router, prefix="/v1")
    pages.mount(app)
    if mlflow := _found(MLFLOW):
        mlflow.mount(app, backend)
    app.add_exception_handler(HeliostatError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_arguments)
    app.add_exception_handler(HTTPException, _refuse_route)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way to replace it
    app.add_middleware(Gate, backend=backend, record=backend.record)
    return app


async def _rehearsed(backend: Backend) -> None:
    """What the first page would wait for: its templates, scripts, and the log's first statements."""
    await run_in_threadpool(pages.prepare)  # of Starlette, whose streams need what this imports
    with suppress(HeliostatError):  # none has this number; a log that is away is told of by who needs it
        await backend.read(backend.log.tokens)
        await backend.read(backend.log.experiment, 0)


def _build_routes(app: FastAPI) -> None:
    """Look for a route that is not there: FastAPI builds all of them then, and no caller waits for it."""
    scope = {"type": "http", "method": "GET", "path": "/-", "root_path": ""}
    for route in app.routes:
        route.matches(scope)


def routers() -> list[APIRouter]:
    """The routers of all modules of :mod:`heliostat.service.wire`: busy ones first, then by module name."""
    names = sorted(
        (item.name for item in pkgutil.iter_modules(wire.__path__)),
        key=lambda name: (_BUSY.index(name) if name in _BUSY else len(_BUSY), name),
    )
    modules = [importlib.import_module(f"{wire.__name__}.{name}") for name in names]
    return [module.router for module in modules if hasattr(module, "router")]


def _found(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    return importlib.import_module(name) if spec is not None and spec.origin is not None else None


async def _refuse(request: Request, error: Exception) -> Response:
    if not isinstance(error, HeliostatError):
        raise error
    request.app.state.record.fault(error, b"")
    answer = reply(error_object(error), error_object(error)["status"])
    answer.headers.update(error_headers(error))
    return answer


async def _refuse_arguments(request: Request, error: Exception) -> Response:
    """FastAPI's own words for a path or query argument, as ours."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return await _refuse(request, InvalidValue(field, str(first["msg"]).lower(), given=first.get("input")))


async def _refuse_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    rule = {404: "there is nothing at this address", 405: "this address does not know this verb"}
    headers = error.headers or {}
    return await _refuse(
        request, Refused(error.status_code, rule.get(error.status_code, str(error.detail)), headers=headers)
    )
