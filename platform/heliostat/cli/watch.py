"""``heliostat watch``: an experiment, live in a terminal."""

from __future__ import annotations

import shutil
import sys
import time

import click

from heliostat.analysis import budget_used
from heliostat.cli.options import existing_log, log_option
from heliostat.cli.run_table import PAUSE
from heliostat.cli.standing import lines, summary
from heliostat.ports import RunLog

CLEAR = "\x1b[H\x1b[J"
"""Cursor home, and clear from there: unlike clearing the screen it does not flicker."""


@click.command()
@click.argument("experiment", type=int)
@click.option("--every", type=click.FloatRange(0.1), default=PAUSE, help="Seconds between looks at the log.")
@log_option
def command(experiment: int, every: float, log_url: str | None) -> None:
    """Follow an experiment until it ends: best, front, states, guardrails, what runs.

    On a terminal the picture is redrawn; elsewhere a line is printed whenever something has changed. It ends
    when the budget is spent and nothing runs, or with Ctrl-C.
    """
    log = existing_log(log_url)
    is_live = sys.stdout.isatty()
    shown = ""
    try:
        while True:
            text, is_over = _look(log, experiment, is_live)
            if text != shown:
                click.echo(f"{CLEAR}{text}" if is_live else text)
                sys.stdout.flush()
                shown = text
            if is_over:
                return
            _await_change(log, experiment, every)
    except KeyboardInterrupt:
        click.echo("", err=True)  # the shell's prompt begins on a line of its own


def _look(log: RunLog, experiment: int, is_live: bool) -> tuple[str, bool]:
    """What to show, and whether the experiment has ended."""
    record, runs = log.experiment(experiment), log.runs(experiment)
    spec = record.spec
    is_spent = spec.budget is not None and budget_used(spec, runs) >= spec.budget
    is_over = (is_spent and not any(run.state.is_open for run in runs)) or record.archived
    if not is_live:
        return summary(spec, runs), is_over
    size = shutil.get_terminal_size()
    head = f"experiment {record.id}: {spec.name} (project {spec.project})"
    end = "ended" if is_over else "Ctrl-C leaves; the experiment goes on"
    body = [head, *lines(spec, runs, time.time()), "", end][: size.lines - 1]
    return "\n".join(line[: size.columns - 1] for line in body), is_over


def _await_change(log: RunLog, experiment: int, every: float) -> None:
    """Until something is written about the experiment."""
    seen = _last(log, experiment)
    while _last(log, experiment, seen) == seen:
        time.sleep(every)


def _last(log: RunLog, experiment: int, after: int = 0) -> int:
    events = log.events(after, 1000, experiment=experiment)
    while len(events) == 1000:
        after = events[-1].seq
        events = log.events(after, 1000, experiment=experiment)
    return events[-1].seq if events else after
