"""The service as a running thing: on Ray Serve, or in this process alone."""

from __future__ import annotations

import logging
import os
import socket
import threading

from heliostat.errors import HeliostatError
from heliostat.service.settings import ServiceSettings

CONNECTIONS = 1024
"""Connections at a time of the process alone; those beyond are answered 503."""

LARGEST_HEAD = 16 * 1024
"""Bytes of a call's line and headers."""


SPARING = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.3",
}
"""Ray Serve's switches that spare a third of a call's processor time: its proxy speaks to replicas by gRPC
and not by actor calls, and less is handed over between threads. Its controller looks three times a second
instead of ten: idle, it was the busiest process.

Our routes leave an event loop free: what takes long is done in threads of its own.
"""


class ServeProcess:
    """The service on Ray Serve: of the cluster that this process belongs to, else of one of its own.

    Args:
        settings: How it is set up.
        host: Address that Serve's proxy listens at.
        port: Its port.

    Raises:
        HeliostatError: The address is taken.
    """

    def __init__(self, settings: ServiceSettings, host: str, port: int) -> None:
        from heliostat import cluster

        _listener(host, port).close()  # Serve would say so in a log only
        for name, value in SPARING.items():  # before Ray Serve is imported, and for a cluster of our own
            os.environ.setdefault(name, value)
        cluster.connect()
        from ray import serve

        from heliostat.service.serve import NAME, application

        self._serve = serve
        quiet = {"enable_access_log": False, "log_level": "WARNING"}
        serve.start(
            proxy_location="HeadOnly", http_options={"host": host, "port": port}, logging_config=quiet
        )
        logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it speaks here of what is said below
        try:
            serve.run(application(_plain(settings)), name=NAME, route_prefix="/")
        except RuntimeError:
            found = serve.status().applications[NAME].deployments.values()
            told = "; ".join(item.message.strip().splitlines()[-1] for item in found if item.message)
            self.close()
            rule = f"the service did not start ({told[:500]})"
            raise HeliostatError(rule, remedy="Try --no-ray to see more.", code="HS-SERVICE-003") from None

    def is_alive(self) -> bool:
        """Whether its cluster has not ended; Serve itself replaces what dies in it."""
        import ray

        return bool(ray.is_initialized())

    def close(self) -> None:
        """Answer what is under way, and end; a cluster of our own ends too."""
        import ray

        self._serve.shutdown()
        ray.shutdown()


class LoneProcess:
    """The service in a thread of this process.

    Args:
        settings: How it is set up.
        host: Address to listen at.
        port: Its port; 0 for any free one.

    Attributes:
        port: Its port.

    Raises:
        HeliostatError: The address is taken.
    """

    def __init__(self, settings: ServiceSettings, host: str, port: int) -> None:
        import uvicorn

        from heliostat.service.app import create_app

        self._listener = _listener(host, port)
        self.port: int = self._listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=20,
            http="h11",  # the faster parser takes headers of any length
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._listener]},
            name="heliostat-service",
            daemon=True,
        )
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Answer what is under way, and end."""
        self._server.should_exit = True
        self._thread.join(25)
        self._listener.close()


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        rule = f"the service needs {host}:{port} for itself ({os.strerror(error.errno or 0)})"
        raise HeliostatError(rule, remedy="Choose another one with --port.", code="HS-SERVICE-002") from None


def _plain(settings: ServiceSettings) -> dict[str, object]:
    return {**vars(settings), "hosts": list(settings.hosts)}
