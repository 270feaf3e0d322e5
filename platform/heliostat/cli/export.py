"""``heliostat export``: runs as CSV, Parquet or JSON, an experiment also as a self-contained HTML report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from heliostat.cli.options import existing_log, log_option
from heliostat.frames import csv_text, parquet_bytes
from heliostat.frames.files import write_whole
from heliostat.frames.reading import drawn_runs, selected
from heliostat.objects import experiment_object, run_object
from heliostat.ports import RunLog
from heliostat.query import Condition, read_where
from heliostat.trial import Run


@click.command()
@click.argument("experiment", type=int, required=False)
@click.option("--csv", "form", flag_value="csv", default=True, help="One row a run (default).")
@click.option("--parquet", "form", flag_value="parquet", help="One row a run, with typed columns.")
@click.option("--json", "form", flag_value="json", help="All that is known of the runs, curves too.")
@click.option("--html", "form", flag_value="html", help="A report of an experiment that opens offline.")
@click.option("--project", help="Runs of this project, in experiments or not, instead of an experiment.")
@click.option("--where", metavar="TEXT", help="Only runs that match: 'state = completed'.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; '-' is standard output.")
@log_option
def command(
    experiment: int | None,
    form: str,
    project: str | None,
    where: str | None,
    output: Path | None,
    log_url: str | None,
) -> None:
    """Write an experiment, or any runs, to a file.

    CSV and JSON go to standard output, HTML and Parquet to heliostat-ID.html or .parquet, unless -o is given.
    """
    if experiment is None and project is None and where is None:
        raise click.UsageError("Name an experiment (see: heliostat ls), or runs with --project or --where.")
    if form == "html" and (experiment is None or where is not None):
        raise click.UsageError("A report is about one whole experiment: heliostat export 1 --html.")
    log = existing_log(log_url)
    if experiment is not None:
        log.experiment(experiment)
    asked = _Asked(log, experiment, project, read_where(where or ""))
    content = _FORMS[form](asked)
    target = output or Path(f"heliostat-{experiment or 'runs'}.{form}" if form in _FILES else "-")
    if str(target) == "-":
        click.echo(content, nl=False)
        return
    write_whole(target, content)
    click.echo(f"wrote {target}", err=True)


@dataclass(frozen=True)
class _Asked:
    """What is to be written."""

    log: RunLog
    experiment: int | None
    project: str | None
    where: Condition | None

    @property
    def runs(self) -> Sequence[Run]:
        is_whole = self.experiment is not None
        return selected(self.log, self.where, self.project, self.experiment, archived=is_whole)

    @property
    def drawn_runs(self) -> Sequence[Run]:
        is_whole = self.experiment is not None
        return drawn_runs(self.log, self.where, self.project, self.experiment, archived=is_whole)


def _csv(asked: _Asked) -> bytes:
    return csv_text(asked.runs).encode("utf-8", "surrogatepass")


def _parquet(asked: _Asked) -> bytes:
    return parquet_bytes(asked.runs)


def _json(asked: _Asked) -> bytes:
    whole: dict[str, Any] = {"object": "list"}
    if asked.experiment is not None:
        whole = experiment_object(asked.log.experiment(asked.experiment))
    whole["data"] = [run_object(run) for run in asked.drawn_runs]
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return text.encode("utf-8", "surrogatepass")


def _html(asked: _Asked) -> bytes:
    from heliostat.report import render

    assert asked.experiment is not None
    spec = asked.log.experiment(asked.experiment).spec
    runs = asked.log.runs(asked.experiment, curves=True)
    return render(spec, runs, log_url=asked.log.url).encode()


_FORMS: dict[str, Callable[[_Asked], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
    "html": _html,
}
_FILES = ("html", "parquet")
