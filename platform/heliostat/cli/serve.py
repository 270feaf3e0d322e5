"""``heliostat serve``: the service on this machine or this cluster, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from heliostat.cli.options import log_option
from heliostat.errors import HeliostatError
from heliostat.registry import log_url as full_url
from heliostat.registry import open_log
from heliostat.service.settings import ServiceSettings, read_settings

if TYPE_CHECKING:
    from heliostat.service.running import LoneProcess, ServeProcess

DEFAULT_PORT = 8000


@click.command()
@log_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--replicas", default=2, show_default=True, type=click.IntRange(1, 1000))
@click.option("--no-ray", is_flag=True, help="One process on its own, without Ray Serve.")
@click.option("--no-auth", is_flag=True, help="Ask for no token; on this machine's own address only.")
def command(log_url: str | None, host: str, port: int, replicas: int, no_ray: bool, no_auth: bool) -> None:
    """Serve the run log to SigOpt's client, MLflow's clients and curl.

    Prints its address, and a token, once it answers. Ctrl-C ends it; calls under way are answered first.
    """
    from heliostat.service.laptop import check_address, names_of

    given = {"log": full_url(log_url), "replicas": replicas, "auth": not no_auth, "hosts": names_of(host)}
    settings = read_settings({key: value for key, value in given.items() if value != ()})
    check_address(host, settings)
    os.umask(0o077)  # the log that it makes, and all that Ray keeps, are this user's alone
    (_serve_alone if no_ray else _serve_on_ray)(settings, host, port)


def _serve_on_ray(settings: ServiceSettings, host: str, port: int) -> None:
    from heliostat.service.running import ServeProcess

    _run(ServeProcess(settings, host, port), settings, host, port)


def _serve_alone(settings: ServiceSettings, host: str, port: int) -> None:
    from heliostat.service.running import LoneProcess

    _run(LoneProcess(settings, host, port), settings, host, port)


def _run(process: LoneProcess | ServeProcess, settings: ServiceSettings, host: str, port: int) -> None:
    """Say that it serves, and serve until a signal comes; from here on a signal ends it gracefully."""
    try:
        with _signals() as ended:
            try:
                _announce(settings, host, port, lambda: process.is_alive() and not ended.is_set())
            except HeliostatError:
                if not ended.is_set():
                    raise
            while not ended.wait(0.5) and process.is_alive():
                pass  # a wait without end would keep signals from being seen
    finally:
        click.echo("heliostat serve: ending", err=True)
        process.close()


def _announce(settings: ServiceSettings, host: str, port: int, is_alive: Callable[[], bool]) -> None:
    from heliostat.service.laptop import own_token, wait_until_ready

    wait_until_ready(host, port, is_alive=is_alive)
    url = f"http://{host}:{port}"
    click.echo(f"serving {settings.shown_log} at {url}")
    if not settings.auth:
        click.echo("  without tokens: whoever reaches the address may do everything")
        return
    log = open_log(settings.log)
    try:
        secret, path = own_token(log)
    finally:
        log.close()
    click.echo(f"  token: {secret}" + (f"  (kept in {path})" if path is not None else ""))
    click.echo(f"  pages:          {url}/sign-in#token={secret}")
    click.echo(f"  SigOpt client:  export SIGOPT_API_URL={url} SIGOPT_API_TOKEN={secret}")
    click.echo(f"  MLflow client:  export MLFLOW_TRACKING_URI={url} MLFLOW_TRACKING_TOKEN={secret}")


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of what they do otherwise."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
