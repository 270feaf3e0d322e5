"""The service on Ray Serve: stateless replicas behind Serve's proxy.

In a Serve config file the import path is ``heliostat.service.serve:application`` and ``args`` holds fields of
:class:`~heliostat.service.settings.ServiceSettings`::

    applications:
      - name: heliostat
        route_prefix: /
        import_path: heliostat.service.serve:application
        args: {log: "postgresql://…", hosts: [heliostat.example.org], replicas: 4}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from ray import serve

from heliostat.service.app import create_app
from heliostat.service.errors import RETRY_SECONDS
from heliostat.service.settings import ServiceSettings, read_settings

NAME = "heliostat"

ONGOING = 64
"""Calls at a time in one replica. Most of them wait for the disk."""

WAITING = 512
"""Calls that wait in the proxy; those beyond are answered 503 at once."""


class Replica:
    """One stateless process of the service; what it answers comes from the log and the stewards.

    Args:
        settings: How the service is set up.
    """

    service: FastAPI

    def __init__(self, settings: ServiceSettings) -> None:
        self.service = create_app(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:  # Serve's name for it
        """The application that Serve's ingress calls."""
        return self.service

    async def check_health(self) -> None:
        """Ask the log; Serve replaces a replica that cannot."""
        backend = self.service.state.backend
        await backend.read(backend.log.events, 0, 1)


def application(args: Mapping[str, Any] | None = None) -> serve.Application:
    """The Serve application.

    Args:
        args: Fields of the settings; the environment and the defaults fill in the rest.

    Raises:
        InvalidValue: An unknown field, or a value that breaks a rule.
    """
    settings = read_settings(args)
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        num_replicas=settings.replicas,
        max_ongoing_requests=ONGOING,
        max_queued_requests=WAITING,
        backpressure_config={"retry_after_s": RETRY_SECONDS},
        health_check_period_s=5,
        health_check_timeout_s=20,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=20,
        ray_actor_options={"num_cpus": 0.1},
        # Serve makes a record of every call even where its access log is off, unless its level says no.
        logging_config={"enable_access_log": False, "encoding": "JSON", "log_level": "WARNING"},
    )
    found: serve.Application = deployment.bind(settings)
    return found
