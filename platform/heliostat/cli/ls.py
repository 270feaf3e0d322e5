"""``heliostat ls``: the experiments of a log."""

from __future__ import annotations

from typing import Any

import click

from heliostat.analysis import leaders
from heliostat.cli.options import existing_log, json_option, log_option, print_json, print_table
from heliostat.objects import experiment_object
from heliostat.ports import ExperimentRecord, RunLog


@click.command()
@click.option("--project", help="Only this project.")
@log_option
@json_option
def command(project: str | None, log_url: str | None, as_json: bool) -> None:
    """List experiments: how many runs ended how, and the best so far."""
    log = existing_log(log_url)
    records = log.experiments(project)
    if as_json:
        print_json({"object": "list", "data": [experiment_object(record) for record in records]})
        return
    if not records:
        click.echo("no experiments yet")
        return
    columns = ["id", "project", "name", "searcher", "budget", "done", "open", "stopped", "failed", "best"]
    print_table(columns, [_row(log, record) for record in records])


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
    values = ", ".join(f"{name} {found[0].numbers[name]:.4g}" for name in names)
    return f"{values} (run {found[0].number}; front of {len(found)})" if len(found) > 1 else values
