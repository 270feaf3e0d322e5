"""Whether the process lives, whether it can work, and its counters."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from heliostat.service.backend import Backend
from heliostat.service.calls import ReadCall, reply
from heliostat.service.telemetry import Telemetry

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return reply({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """The run log answers."""
    backend: Backend = request.app.state.backend
    await backend.read(backend.log.events, 0, 1)
    return reply({"status": "ok"})


@router.get("/metrics")
async def metrics(call: ReadCall) -> Response:
    """Counters of all processes and stewards of the service in Prometheus's text form."""
    return Response(await call.backend.part(Telemetry).text(), media_type=CONTENT_TYPE_LATEST)
