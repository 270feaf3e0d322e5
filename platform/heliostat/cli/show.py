"""``heliostat show``: one experiment with its runs."""

from __future__ import annotations

import time
from typing import Any

import click

from heliostat.cli.options import existing_log, json_option, log_option, print_json, print_table
from heliostat.convergence import converged
from heliostat.experiment import ExperimentSpec
from heliostat.objects import experiment_object, run_object
from heliostat.space.space import describe
from heliostat.trial import Run, State


@click.command()
@click.argument("experiment", type=int)
@click.option("--run", "run_number", type=int, help="One run of it, with its whole story.")
@log_option
@json_option
def command(experiment: int, run_number: int | None, log_url: str | None, as_json: bool) -> None:
    """Show an experiment and its runs, or one run."""
    log = existing_log(log_url)
    record = log.experiment(experiment)
    runs = log.runs(experiment, curves=as_json or run_number is not None)
    if run_number is not None:
        runs = [run for run in runs if run.number == run_number]
        if not runs:
            raise click.BadParameter(f"experiment {experiment} has no run {run_number}", param_hint="--run")
    if as_json:
        print_json({**experiment_object(record), "data": [run_object(run) for run in runs]})
    elif run_number is not None:
        _print_run(runs[0])
    else:
        _print_head(record.id, record.spec, record.created)
        if runs:
            click.echo(f"{converged(record.spec, runs)}\n")
        _print_runs(record.spec, runs)


def _print_head(id: int, spec: ExperimentSpec, created: float) -> None:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))
    click.echo(f"experiment {id}: {spec.name} (project {spec.project}), created {when}")
    for metric in spec.metrics.all:
        side = "" if metric.threshold is None else (" <= " if metric.sign < 0 else " >= ")
        limit = "" if metric.threshold is None else f"{metric.threshold:g}"
        role = {"optimize": metric.objective, "constraint": "guardrail", "store": "store"}[metric.strategy]
        click.echo(f"  {role:<10} {metric.name}{side}{limit}")
    for constraint in spec.space.linear_constraints:
        click.echo(f"  constraint {describe(constraint)}")
    click.echo("")


def _print_runs(spec: ExperimentSpec, runs: list[Run]) -> None:
    if not runs:
        click.echo("no runs yet")
        return
    names = [item.name for item in spec.space.dimensions]
    metrics = [metric.name for metric in spec.metrics.all]
    rows: list[list[Any]] = []
    for run in runs:
        values = [run.numbers.get(name) for name in metrics]
        task = [run.task or ""] if spec.tasks else []
        points = (run.assignments.get(name) for name in names)
        rows.append([run.number, _state(spec, run), *task, *values, *points])
    print_table(["run", "state", *(["task"] if spec.tasks else []), *metrics, *names], rows)


def _state(spec: ExperimentSpec, run: Run) -> str:
    if run.state is State.COMPLETED and not spec.metrics.is_feasible(run.numbers):
        return "over guardrail"
    if run.failure is not None and run.state is State.FAILED:
        return f"failed: {run.failure.kind}"
    return str(run.state).replace("_", " ")


def _print_run(run: Run) -> None:
    click.echo(f"run {run.number} (id {run.id}): {run.state}, {run.end_reason or 'running'}")
    click.echo(f"  proposed by {run.origin} {run.searcher}: {run.why}")
    for name, value in run.assignments.items():
        click.echo(f"  {name} = {value}")
    for name, number in run.numbers.items():
        click.echo(f"  {name}: {number:.6g}")
    for name, item in run.metadata.items():
        click.echo(f"  {name}: {item}")
    click.echo(f"  {len(run.curve)} checkpoints, attempt {run.attempt}")
    if run.failure is not None and run.failure.traceback:
        click.echo(run.failure.traceback)
