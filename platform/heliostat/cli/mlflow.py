"""``heliostat mlflow``: the run log, mirrored into an MLflow server."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

import click

from heliostat.cli.options import existing_log, log_option
from heliostat.registry import MIRRORS, load

INCOMPLETE = 3
INTERRUPTED = 130
_EVERY = 1.0
"""Seconds between lines that only tell how far it is."""

_MOST_ADDRESSES = 10


@click.group()
def command() -> None:
    """Mirror the run log into an MLflow server."""


@command.command()
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--uri", metavar="URI", help="The server's address; default: $MLFLOW_TRACKING_URI.")
@click.option("--project", help="Only this project.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for a server that does not answer; with --follow there is no limit.",
)
@log_option
def sync(follow: bool, uri: str | None, project: str | None, patience: float, log_url: str | None) -> None:
    """Bring MLflow up to date with the run log, each run exactly once.

    Exit code 0 when all is there; 2 when the server refuses or does not answer; 3 when it took all but some
    runs; 130 when interrupted before all was there.
    """
    mirror = load(MIRRORS, "mlflow")
    log = existing_log(log_url)
    teller = _Teller()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        teller.progress = mirror(
            log, uri, follow=follow, project=project, patience=patience, report=teller.hear
        )
    except KeyboardInterrupt:
        teller.tell_end("stopped")
        sys.exit(0 if follow and teller.is_level else INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)
        log.close()
    teller.tell_end("caught up")
    if teller.progress.refused:
        for run, reason in teller.progress.refused.items():
            click.echo(f"run {run} is not there: {reason}", err=True)
        sys.exit(INCOMPLETE)


class _Teller:
    """Prints how far the mirror is."""

    def __init__(self) -> None:
        self.progress: Any = None
        self._told = 0.0
        self._line = ""
        self._addresses: set[str] = set()

    @property
    def is_level(self) -> bool:
        """Whether all that is known of was mirrored."""
        return self.progress is not None and not self.progress.lag and not self.progress.waits_for

    def hear(self, progress: Any) -> None:
        """Print what is new; not more often than people read."""
        was_waiting = self.progress is not None and self.progress.waits_for
        self.progress = progress
        if progress.waits_for:
            if not was_waiting:
                click.echo(f"waiting: {progress.waits_for}")
            return
        if was_waiting:
            click.echo("the server answers again")
        self._tell_addresses()
        now = time.monotonic()
        if now - self._told >= _EVERY or not progress.lag:
            self._told = now
            self._print("")

    def tell_end(self, how: str) -> None:
        """Print where it stands at the end."""
        if self.progress is not None:
            self._tell_addresses()
            self._line = ""
            self._print(f"{how}: ")

    def _tell_addresses(self) -> None:
        for name, address in self.progress.addresses.items():
            if name not in self._addresses and len(self._addresses) < _MOST_ADDRESSES:
                self._addresses.add(name)
                click.echo(f"{name}: {address}")

    def _print(self, start: str) -> None:
        runs, lag = self.progress.runs, self.progress.lag
        line = f"{start}mirrored {_count(runs, 'run')}, lag {_count(lag, 'event')}"
        if line != self._line:
            click.echo(line)
        self._line = line


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
