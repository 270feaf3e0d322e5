"""``heliostat best``: the best feasible run, or the Pareto front."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from heliostat.analysis import leaders
from heliostat.cli.options import existing_log, json_option, log_option, number, print_json, print_table
from heliostat.engine import is_noisy, recommended
from heliostat.experiment import ExperimentSpec
from heliostat.objects import run_object
from heliostat.trial import Proposal, Run

NOTHING_FEASIBLE = 3


@click.command()
@click.argument("experiment", type=int)
@log_option
@json_option
def command(experiment: int, log_url: str | None, as_json: bool) -> None:
    """Print the best feasible run, or all of the Pareto front; exit code 3 if nothing is feasible."""
    log = existing_log(log_url)
    spec, runs = log.experiment(experiment).spec, log.runs(experiment)
    found = leaders(spec, runs)
    if as_json:
        print_json({"object": "list", "data": [run_object(run) for run in found]})
    elif found:
        print_front(spec, found)
        if is_noisy(spec, runs):
            print_recommended(recommended(log, experiment))
    else:
        click.echo("no completed run meets all guardrails yet", err=True)
    if not found:
        sys.exit(NOTHING_FEASIBLE)


def print_recommended(point: Proposal | None) -> None:
    """One line: where noise was averaged out, and what is expected there."""
    if point is None:
        return
    given = ", ".join(f"{name}={number(value)}" for name, value in point.assignments.items())
    expected = ", ".join(
        f"{name} {item.mean:.4g} ± {item.stddev:.2g}" for name, item in point.predicted.items()
    )
    click.echo(f"recommended: {given} ({point.why}){', ' if expected else ''}{expected}")


def print_front(spec: ExperimentSpec, runs: Sequence[Run]) -> None:
    """A table of runs with steering metrics and living assignments, the best in the first metric on top."""
    if spec.metrics.objectives:
        first = spec.metrics.objectives[0]
        runs = sorted(runs, key=lambda run: -first.sign * run.numbers[first.name])
    metrics = [metric.name for metric in spec.metrics.steering]
    names = [item.name for item in spec.space.dimensions if any(item.name in run.assignments for run in runs)]
    rows: list[list[Any]] = [
        [run.number, *(run.numbers[name] for name in metrics), *(run.assignments.get(name) for name in names)]
        for run in runs
    ]
    print_table(["run", *metrics, *names], rows)
