"""``heliostat log``: care for the run log itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from heliostat.cli.options import existing_log, json_option, log_option, print_json
from heliostat.registry import MAINTENANCE, load, log_url

FAULTY = 1

_NAMED = ("experiments", "runs", "checkpoints", "files", "events")


@click.group()
def command() -> None:
    """Back up, restore, check and update the run log itself."""


@command.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@log_option
@json_option
def backup(target: Path, force: bool, log_url: str | None, as_json: bool) -> None:
    """Copy the log into a new FILE, while others write to it.

    FILE is a SQLite file, whatever the log lies in, and a run log itself: every command can look into it.
    """
    done = load(MAINTENANCE, "backup")(_address(log_url), target, force=force)
    if as_json:
        print_json({"object": "backup", **_copied(done)})
        return
    click.echo(f"backed up {_shown(done.rows)} to {done.target}")


@command.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@log_option
@json_option
def restore(source: Path, log_url: str | None, as_json: bool) -> None:
    """Bring a back-up FILE into a new or empty log, in SQLite or PostgreSQL."""
    done = load(MAINTENANCE, "restore")(source, _address(log_url))
    if as_json:
        print_json({"object": "restore", **_copied(done)})
        return
    click.echo(f"restored {_shown(done.rows)} into {done.target}")
    if done.changed_texts:
        click.echo(f"  in {done.changed_texts} texts, ␀ stands for NUL, which PostgreSQL cannot hold")


@command.command()
@log_option
@json_option
def verify(log_url: str | None, as_json: bool) -> None:
    """Look for anything that must not be, while others write to the log; exit code 1 if there is."""
    found = load(MAINTENANCE, "verify")(_address(log_url))
    if as_json:
        print_json({"object": "verification", **vars(found), "is_whole": found.is_whole})
    else:
        click.echo(f"{found.url}: schema {found.version}, {_shown(found.rows)}")
        click.echo("\n".join(f"  {fault}" for fault in found.faults) or "  whole")
    if not found.is_whole:
        sys.exit(FAULTY)


@command.command()
@log_option
@json_option
def migrate(log_url: str | None, as_json: bool) -> None:
    """Bring the log of an older Heliostat up to date; of a file, a copy is kept beside it."""
    done = load(MAINTENANCE, "migrate")(_address(log_url))
    if as_json:
        copy = str(done.copy) if done.copy else None
        print_json({"object": "migration", **vars(done), "copy": copy})
        return
    if done.before == done.after:
        click.echo(f"{done.url} is up to date (schema {done.after})")
        return
    click.echo(f"{done.url}: schema {done.before} is now {done.after}")
    if done.copy is not None:
        click.echo(f"  as it was: {done.copy}")


@command.command()
@log_option
def settle(log_url: str | None) -> None:
    """End as lost the runs whose process was on this machine and is gone."""
    from heliostat.tracking.left_behind import end_left_behind

    ended = end_left_behind(existing_log(log_url))
    click.echo("\n".join(f"run {run.id} ({run.name}) is lost" for run in ended) or "nothing was left behind")


def _address(url: str | None) -> str:
    return log_url(url)


def _copied(done: Any) -> dict[str, Any]:
    return {"target": done.target, "rows": dict(done.rows), "changed_texts": done.changed_texts}


def _shown(rows: dict[str, int]) -> str:
    known = ((name, rows[name]) for name in _NAMED if name in rows)
    return ", ".join(f"{count:,} {name if count != 1 else name[:-1]}" for name, count in known)
