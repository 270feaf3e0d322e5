"""``heliostat export``: an experiment as CSV, JSON or a self-contained HTML report."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from pathlib import Path

import click

from heliostat.cli.options import existing_log, log_option
from heliostat.objects import experiment_object, run_object, table
from heliostat.ports import RunLog


@click.command()
@click.argument("experiment", type=int)
@click.option("--csv", "form", flag_value="csv", default=True, help="One row a run (default).")
@click.option("--json", "form", flag_value="json", help="The experiment with all runs and curves.")
@click.option("--html", "form", flag_value="html", help="A report that opens offline.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; '-' is standard output.")
@log_option
def command(experiment: int, form: str, output: Path | None, log_url: str | None) -> None:
    """Write an experiment to a file; HTML goes to heliostat-ID.html unless -o is given."""
    log = existing_log(log_url)
    text = {"csv": _csv, "json": _json, "html": _html}[form](log, experiment)
    target = output or (Path(f"heliostat-{experiment}.html") if form == "html" else Path("-"))
    if str(target) == "-":
        click.echo(text, nl=False)
        return
    write_whole(target, text)
    click.echo(f"wrote {target}", err=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either complete or not there."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, delete=False, encoding="utf-8", newline=""
    ) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _csv(log: RunLog, experiment: int) -> str:
    log.experiment(experiment)
    columns, rows = table(log.runs(experiment))
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([columns, *rows])
    return buffer.getvalue()


def _json(log: RunLog, experiment: int) -> str:
    whole = experiment_object(log.experiment(experiment))
    whole["data"] = [run_object(run) for run in log.runs(experiment, curves=True)]
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _html(log: RunLog, experiment: int) -> str:
    from heliostat.report import render

    return render(log.experiment(experiment).spec, log.runs(experiment, curves=True), log_url=log.url)
