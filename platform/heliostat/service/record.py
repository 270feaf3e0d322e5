"""What the service tells its operator: one JSON line an event, and Prometheus counters."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from heliostat.errors import HeliostatError, StorageError
from heliostat.service.callers import CALLER, Caller

LOGGER = logging.getLogger("heliostat.service")

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_QUIET = frozenset(("/healthz", "/readyz", "/metrics"))


class Record:
    """Counts calls and writes them down.

    Attributes:
        registry: The counters of this process.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "heliostat_requests", "Calls answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "heliostat_request_seconds",
            "Time from the whole request line to the whole reply.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.writing = Histogram(
            "heliostat_log_seconds",
            "Time until writes were durable in the run log.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.suggesting = Histogram(
            "heliostat_suggest_seconds",
            "Time until a steward had handed out what was asked for.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.open_calls = Gauge(
            "heliostat_open_requests", "Calls that are being answered.", registry=self.registry
        )
        self.faults = Counter(
            "heliostat_errors", "Errors by their stable code.", ("code",), registry=self.registry
        )
        self.started = Gauge(
            "heliostat_start_time_seconds", "When this process began.", registry=self.registry
        )
        self.started.set_to_current_time()

    def call(self, scope: MutableMapping[str, Any], status: int, seconds: float, request_id: bytes) -> None:
        """Count a finished call and write it down."""
        route = getattr(scope.get("route"), "path", "none")  # never the path: labels must stay few
        method = str(scope["method"]) if route != "none" else "none"
        self.calls.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)
        if route in _QUIET or not LOGGER.isEnabledFor(logging.INFO):
            return
        caller = scope.get(CALLER)
        token = caller.token.id if isinstance(caller, Caller) and caller.token is not None else None
        write_event(
            "call",
            request_id=request_id.decode(),
            method=scope["method"],
            path=scope["path"][:200],
            status=status,
            ms=round(seconds * 1000, 2),
            token=token,
        )

    def fault(self, error: HeliostatError, request_id: bytes) -> None:
        """Count a refused call; what the log itself says goes to the operator alone."""
        self.faults.labels(error.code).inc()
        if isinstance(error, StorageError):
            write_event("storage", logging.ERROR, request_id=request_id.decode(), error=str(error))

    def broke(self, error: Exception, request_id: bytes) -> None:
        """Keep the trace of an error that nobody foresaw."""
        self.faults.labels("HS-SERVICE-500").inc()
        found = {"request_id": request_id.decode(), "error": repr(error)[:500]}
        LOGGER.error(_line("broke", found), exc_info=error)


def write_event(event: str, level: int = logging.INFO, /, **facts: Any) -> None:
    """One line of JSON: what happened, when, to whom. Never hand it a secret or a body."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, _line(event, facts))


def _line(event: str, facts: Mapping[str, Any]) -> str:
    # ASCII escapes what would break a line or color a terminal.
    return json.dumps({"time": round(time.time(), 3), "event": event, **facts}, ensure_ascii=True)
