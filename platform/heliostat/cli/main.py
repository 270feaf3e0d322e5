"""The command group; each command is imported when it is called, so that help appears at once."""

from __future__ import annotations

import importlib
import sys

import click

from heliostat import __version__
from heliostat.errors import HeliostatError

COMMANDS = {
    "best": "heliostat.cli.best",
    "cluster": "heliostat.cli.cluster",
    "demo": "heliostat.cli.demo",
    "doctor": "heliostat.cli.doctor",
    "export": "heliostat.cli.export",
    "figure": "heliostat.cli.figure",
    "import": "heliostat.cli.import_",
    "log": "heliostat.cli.log",
    "ls": "heliostat.cli.ls",
    "mlflow": "heliostat.cli.mlflow",
    "queue": "heliostat.cli.queue",
    "report": "heliostat.cli.report",
    "run": "heliostat.cli.run",
    "serve": "heliostat.cli.serve",
    "show": "heliostat.cli.show",
    "token": "heliostat.cli.token",
    "watch": "heliostat.cli.watch",
}

USAGE_ERROR = 2


class LazyGroup(click.Group):
    """Commands by module name; the module holds the command as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        home = COMMANDS.get(cmd_name)
        if home is None:
            return None
        command: click.Command = importlib.import_module(home).command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run, and turn Heliostat's errors into one line and exit code 2."""
        try:
            return super().invoke(ctx)
        except HeliostatError as error:
            click.echo(f"heliostat: {error}", err=True)
            sys.exit(USAGE_ERROR)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="heliostat")
def main() -> None:
    """Design, optimize and explore experiments on your own Ray cluster.

    The run log is heliostat.db in this folder, unless --log or $HELIOSTAT_LOG says otherwise.
    """
