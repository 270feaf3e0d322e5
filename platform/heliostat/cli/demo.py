"""``heliostat demo``: a sweep of a real model on this machine, from declaration to report."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heliostat.cli.options import log_option
from heliostat.registry import DEFAULT_LOG

if TYPE_CHECKING:
    from heliostat.loop import Experiment
    from heliostat.sweep import SweepResult

INTERRUPTED = 130
NOTHING_FEASIBLE = 3


@click.command()
@click.option("--resume", is_flag=True, help="Go on with the last demo that is not complete.")
@click.option("--trials", type=click.IntRange(min=1), default=60, show_default=True, help="Budget.")
@click.option("--parallel", type=click.IntRange(min=1), default=2, show_default=True, help="Trials at once.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the searcher.")
@click.option("--searcher", default="bayesian", show_default=True, help="bayesian, sobol, random or ax.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML file  [default: heliostat-ID.html]")
@log_option
def command(
    resume: bool,
    trials: int,
    parallel: int,
    seed: int,
    searcher: str,
    report: Path | None,
    log_url: str | None,
) -> None:
    """Tune a neural classifier of handwritten digits: accuracy against latency, with a size guardrail."""
    from heliostat.demo.digits import EPOCHS, SPEC, train
    from heliostat.early_stopping import EarlyStopping
    from heliostat.loop import Experiment
    from heliostat.progress import ProgressLine
    from heliostat.sweep import sweep

    spec = {**SPEC, "budget": trials, "seed": seed, "searcher": searcher}
    experiment = _unfinished(log_url) if resume else Experiment.create(spec, log_url)
    click.echo(
        f"experiment {experiment.id} ({experiment.name}) in {experiment.log.url}; Ctrl-C stops it", err=True
    )
    line = ProgressLine(experiment.engine)
    rule = EarlyStopping("accuracy", EPOCHS, grace=6, reduction=1.5)
    try:
        result = sweep(train, experiment, parallel=parallel, early_stopping=rule)
    finally:
        line.close()
    target = report or Path(f"heliostat-{experiment.id}.html")
    experiment.report(target)
    _print_end(result, target, log_url)
    experiment.log.close()


def _unfinished(log_url: str | None) -> Experiment:
    from heliostat.cli.options import existing_log
    from heliostat.loop import Experiment

    log = existing_log(log_url)
    for record in reversed(log.experiments("demo")):
        ended = sum(record.counts.get(state, 0) for state in ("completed", "early_stopped", "failed"))
        if record.spec.budget is None or ended < record.spec.budget:
            return Experiment.open(record.id, log)
    raise click.UsageError("no demo is waiting to be resumed; start one with: heliostat demo")


def _print_end(result: SweepResult, report: Path, log_url: str | None) -> None:
    from heliostat.cli.best import print_front

    experiment = result.experiment
    spec = experiment.spec
    click.echo("")
    if result.best:
        click.echo(f"Pareto front: {len(result.best)} runs, all within the guardrail")
        print_front(spec, result.best)
    else:
        click.echo("no completed run meets the guardrail")
    counts = Counter(str(run.state) for run in result.runs)
    over = sum(run.state == "completed" and not spec.metrics.is_feasible(run.numbers) for run in result.runs)
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items()))
    click.echo(f"\n{len(result.runs)} runs: {states}; {over} over the guardrail")
    where = "" if log_url is None else f" --log {log_url}"
    default = "" if log_url else f" ({DEFAULT_LOG} in this folder)"
    click.echo(f"run log: {experiment.log.url}{default}\nreport:  {report.resolve()}")
    if not result.is_complete:
        click.echo(
            f"\nstopped before its budget of {spec.budget}; go on with: heliostat demo --resume{where}"
        )
        sys.exit(INTERRUPTED)
    shown = [f"show {experiment.id}", f"best {experiment.id} --json", f"export {experiment.id} --csv"]
    click.echo("next:    " + "\n         ".join(f"heliostat {item}{where}" for item in shown))
    if not result.best:
        sys.exit(NOTHING_FEASIBLE)
