"""``heliostat run``: track any command."""

from __future__ import annotations

import sys
import time

import click

from heliostat.cli.options import log_option

_AS_IT_IS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_AS_IT_IS)
@click.option("--name", metavar="TEXT", help="Name of the run; by default the project and the time.")
@click.option("--project", metavar="ID", help="By default $HELIOSTAT_PROJECT, or this folder's name.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="May be given several times.")
@click.option("--capture", metavar="PARTS", help="Such as git,host or -output; by default all.")
@log_option
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...", type=click.UNPROCESSED)
def command(
    name: str | None,
    project: str | None,
    tags: tuple[str, ...],
    capture: str | None,
    log_url: str | None,
    words: tuple[str, ...],
) -> None:
    """Run a command as a tracked run, and exit with its code.

    Its output goes through unchanged and is kept with the run, as are the command line, the version of the
    code, the machine, duration, peak memory and how it ended. Programs in it that import heliostat log into
    the same run.
    """
    from heliostat.tracking import given
    from heliostat.tracking.capture.parts import VARIABLE, read_parts
    from heliostat.tracking.capture.session import CaptureSession
    from heliostat.tracking.command import run_command
    from heliostat.tracking.creation import open_run
    from heliostat.tracking.projects import present_project
    from heliostat.writes import CreateRun

    parts = read_parts(capture)
    write = CreateRun(
        None, {}, time=time.time(), project=present_project(project), name=name or "", origin="user"
    )
    labels = [given.name(tag, "tag") for tag in tags]
    run = open_run(write, CaptureSession(parts, command=list(words)), log=log_url)
    if labels:
        run.add_tags(*labels)
    more = {} if capture is None else {VARIABLE: capture}
    sys.exit(run_command(words, run, ships_output="output" in parts, more=more))
