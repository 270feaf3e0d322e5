"""``heliostat queue``: points of your own, tried before the searcher is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from heliostat.cli.options import existing_log, json_option, log_option, print_json, print_table
from heliostat.loop import Experiment
from heliostat.space import Categorical, Int, Space


@click.command()
@click.argument("experiment", type=int)
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--task", help="What to run it on; by default the full task.")
@click.option("--why", default="", help="For people.")
@click.option("--delete", "deleted", type=int, metavar="ID", help="Take a point out of the queue.")
@log_option
@json_option
def command(
    experiment: int,
    values: tuple[str, ...],
    task: str | None,
    why: str,
    deleted: int | None,
    log_url: str | None,
    as_json: bool,
) -> None:
    """Queue a point of an experiment, such as lr=0.01 depth=6; without one, list what waits."""
    found = Experiment.open(experiment, existing_log(log_url))
    if deleted is not None:
        found.unqueue(deleted)
    if values:
        found.queue(_point(found.spec.space, values), task=task, why=why)
    if as_json:
        print_json({"object": "list", "data": [_wire(vars(record)) for record in found.queued()]})
        return
    waiting = found.queued()
    if not waiting:
        click.echo("nothing is queued")
        return
    names = [item.name for item in found.spec.space.dimensions]
    rows = [[item.id, *(item.assignments.get(name) for name in names), item.why] for item in waiting]
    print_table(["id", *names, "why"], rows)


def _point(space: Space, values: tuple[str, ...]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in values]
    for name, sign, _ in pairs:
        if not sign or name not in space.by_name:
            known = ", ".join(space.by_name)
            raise click.BadParameter(f"{name!r} is not NAME=VALUE with a name of {known}")
    return {name: _value(space, name, text) for name, _, text in pairs}


def _value(space: Space, name: str, text: str) -> Any:
    item = space.by_name[name]
    if isinstance(item, Categorical):
        return text
    try:
        return int(text) if isinstance(item, Int) else float(text)
    except ValueError:
        return text  # the space says what is wrong with it


def _wire(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "object": "queued_suggestion", "id": str(record["id"])}
