"""``heliostat import``: runs of another tool into the log."""

from __future__ import annotations

from typing import Any

import click

from heliostat.cli.options import json_option, log_option, print_json
from heliostat.imports import STILL_OPEN, import_runs


@click.command()
@click.argument("kind")
@click.argument("source")
@click.option("--project", help="Where to put them  [default: where the source has them, or yours].")
@click.option("--into", type=int, metavar="ID", help="Let them join this experiment of yours.")
@click.option("--origin", help="Who proposed them, such as: grid.")
@click.option("--still-open", type=click.Choice(STILL_OPEN), default="keep", show_default=True,
              help="What to do with runs that have not ended.")  # fmt: skip
@click.option("--study", help="optuna: only this study  [default: all].")
@click.option("--experiment", help="mlflow: only this experiment, by name or id  [default: all].")
@click.option("--mirrored", is_flag=True, help="mlflow: also the runs that Heliostat wrote there.")
@click.option("--no-curves", is_flag=True, help="mlflow: last values only, one question a run.")
@click.option("--params", metavar="A,B", help="csv: these columns are parameters.")
@click.option("--metrics", metavar="C,D", help="csv: these columns are metrics; optuna: names of the values.")
@click.option("--set", "others", multiple=True, metavar="NAME=VALUE", help="An option of another importer.")
@log_option
@json_option
def command(
    kind: str,
    source: str,
    project: str | None,
    into: int | None,
    origin: str | None,
    still_open: str,
    others: tuple[str, ...],
    log_url: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Bring runs of another tool into the log; again, to bring what is new.

    KIND is csv, mlflow, optuna, sigopt, tune or an importer that you installed. SOURCE is a file, a folder or
    a URL.
    """
    done = import_runs(
        kind,
        source,
        project=project,
        into=into,
        origin=origin,
        still_open=still_open,
        log=log_url,
        **_given(options, others),
    )
    if as_json:
        print_json({"object": "import", **vars(done)})
        return
    click.echo(str(done))
    for reason, count in sorted(done.skipped.items()):
        click.echo(f"  skipped {count}: {reason}")


def _given(options: dict[str, Any], others: tuple[str, ...]) -> dict[str, Any]:
    """The reader's options that the user wrote, in the reader's types."""
    given = {name: value for name, value in options.items() if value not in (None, False)}
    if given.pop("no_curves", False):
        given["curves"] = False
    for name in ("params", "metrics"):
        if name in given:
            given[name] = tuple(item.strip() for item in given[name].split(",") if item.strip())
    for item in others:
        name, sign, value = item.partition("=")
        if not sign:
            raise click.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--set")
        given[name.strip().replace("-", "_")] = value
    return given
