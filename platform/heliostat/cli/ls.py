"""``heliostat ls``: the experiments of a log; ``heliostat ls runs``: its runs, whoever proposed them."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from typing import Any

import click

from heliostat.analysis import leaders
from heliostat.cli.options import existing_log, json_option, log_option, print_json, print_table
from heliostat.cli.run_table import follow, print_runs
from heliostat.objects import experiment_object, run_object
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.query import Field, Filter, RunPage, RunQuery, read_fields, read_where

OUTSIDE = Filter("experiment", "isnull")


@click.group(invoke_without_command=True)
@click.option("--project", help="Only this project.")
@log_option
@json_option
@click.pass_context
def command(context: click.Context, project: str | None, log_url: str | None, as_json: bool) -> None:
    """List experiments: how many runs ended how, and the best so far.

    `heliostat ls runs` lists runs.
    """
    context.obj = {"project": project, "log_url": log_url, "as_json": as_json}
    if context.invoked_subcommand is not None:
        return
    log = existing_log(log_url)
    records = log.experiments(project)
    if as_json:
        print_json({"object": "list", "data": [experiment_object(record) for record in records]})
        return
    if records:
        columns = ["id", "project", "name", "searcher", "budget", "done", "open", "stopped", "failed", "best"]
        print_table(columns, [_row(log, record) for record in records])
    else:
        click.echo("no experiments yet")
    _tell_of_others(log, project)


@command.command()
@click.option("--where", metavar="TEXT", help="A condition: 'state = completed and metrics.loss < 0.1'.")
@click.option("--project", help="Only this project.")
@click.option("--experiment", type=int, metavar="ID", help="Only this experiment.")
@click.option("--sort", metavar="FIELD", help="For instance metrics.loss; the newest first if left out.")
@click.option("--desc", is_flag=True, help="The highest first.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@click.option("--columns", metavar="FIELDS", help="For instance id,state,params.lr,metrics.loss,tags.")
@click.option("--archived", is_flag=True, help="Archived runs too.")
@click.option("--follow", "is_followed", is_flag=True, help="Draw anew as things happen, until Ctrl-C.")
@log_option
@json_option
@click.pass_context
def runs(
    context: click.Context,
    where: str | None,
    project: str | None,
    experiment: int | None,
    sort: str | None,
    desc: bool,
    limit: int,
    columns: str | None,
    archived: bool,
    is_followed: bool,
    log_url: str | None,
    as_json: bool,
) -> None:
    """List runs of every origin in one table: what they were given, what came back."""
    if is_followed and (as_json or context.obj["as_json"]):
        raise click.UsageError("--follow draws a table; for --json read again, or follow the log's events.")
    query = RunQuery(
        read_where(where or ""),
        sort=_sort(sort),
        ascending=sort is not None and not desc,
        limit=limit or None,
        archived=archived,
    )
    shown = None if columns is None else read_fields(columns)
    log = existing_log(log_url or context.obj["log_url"])
    within = project or context.obj["project"]
    if is_followed:
        if sys.stdout.isatty():  # what does not fit would scroll what is new out of sight
            most = max(1, shutil.get_terminal_size().lines - 4)
            query = replace(query, limit=min(limit or most, most))
        follow(log, lambda: _print(log.query(query, project=within, experiment=experiment), shown))
    elif as_json or context.obj["as_json"]:
        page = log.query(query, project=within, experiment=experiment)
        data = [run_object(run) for run in page.runs]
        print_json({"object": "list", "count": page.count, "data": data})
    else:
        _print(log.query(query, project=within, experiment=experiment), shown)


def _sort(text: str | None) -> str:
    if text is None:
        return "id"
    found = read_fields(text)
    if len(found) != 1:
        raise click.BadParameter("runs are sorted by one field", param_hint="--sort")
    return found[0].name


def _print(page: RunPage, shown: list[Field] | None) -> None:
    if not page.runs:
        click.echo("no such runs")
        return
    print_runs(page.runs, shown)
    if len(page.runs) < page.count:
        click.echo(f"{len(page.runs)} of {page.count} runs; for more: --limit N")


def _tell_of_others(log: RunLog, project: str | None) -> None:
    count = log.query(RunQuery(OUTSIDE, limit=0), project=project).count
    if count:
        runs_are = "1 run is" if count == 1 else f"{count} runs are"
        click.echo(f"{runs_are} outside experiments; list with: heliostat ls runs --where '{OUTSIDE}'")


def _row(log: RunLog, record: ExperimentRecord) -> list[Any]:
    spec, counts = record.spec, record.counts
    stopped, failed = counts.get("early_stopped", 0), counts.get("failed", 0)
    done = counts.get("completed", 0) + stopped + failed
    facts = [record.id, spec.project, spec.name, spec.searcher, spec.budget, done]
    return [*facts, counts.get("active", 0), stopped, failed, _best(log, record)]


def _best(log: RunLog, record: ExperimentRecord) -> str:
    found = leaders(record.spec, log.runs(record.id))
    if not found:
        return ""
    names = [metric.name for metric in record.spec.metrics.objectives]
    if not names:
        return f"{len(found)} within all limits"
    values = ", ".join(f"{name} {found[0].numbers[name]:.4g}" for name in names)
    others = f"{len(found)} solutions" if record.spec.num_solutions > 1 else f"front of {len(found)}"
    return f"{values} (run {found[0].number}; {others})" if len(found) > 1 else values
