"""``heliostat cluster``: look at a Ray cluster before a sweep does."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

import click

from heliostat.cli.options import json_option, print_json
from heliostat.registry import LOG_VARIABLE, log_url

FAULTY = 1


@click.group()
def command() -> None:
    """Look at a Ray cluster."""


@command.command()
@click.option(
    "--address", default=None, help="Of the head node; by default $RAY_ADDRESS, else this machine's."
)
@click.option(
    "--log", "log", metavar="URL", help="The run log, read and written from every node; $HELIOSTAT_LOG."
)
@click.option("--storage", default="", metavar="PLACE", help="Folder or bucket that all nodes shall share.")
@click.option("--service", default="", metavar="URL", help="Address of the service, asked from every node.")
@click.option("--nodes", default=1, type=click.IntRange(1), help="How many nodes there must be.")
@click.option("--gpus", default=0.0, type=click.FloatRange(0), help="How many GPUs there must be.")
@click.option("--max-skew", default=1.0, type=click.FloatRange(0), help="Seconds between clocks.")
@click.option("--patience", default=60.0, type=click.FloatRange(1), help="Seconds for each answer.")
@json_option
def check(
    address: str | None,
    log: str | None,
    storage: str,
    service: str,
    nodes: int,
    gpus: float,
    max_skew: float,
    patience: float,
    as_json: bool,
) -> None:
    """Ask every node of a running cluster, one line a check; exit code 1 if one fails.

    Checked are: nodes, versions, clocks, GPUs, Ray's auth mode, open ports, and, where asked for, the run
    log, the storage and the service.
    """
    from heliostat.inspection import Question, check_cluster, join

    join(address)
    given = log or os.environ.get(LOG_VARIABLE)
    question = Question(
        log=log_url(given) if given else "",
        storage=storage,
        service=service,
        nodes=nodes,
        gpus=gpus,
        max_skew=max_skew,
        patience=patience,
    )
    findings = check_cluster(question)
    if as_json:
        print_json({"object": "cluster_check", "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            remedy = f" {finding.remedy}" if finding.remedy else ""
            click.echo(f"{finding.status:<4}  {finding.check:<8}  {finding.detail}.{remedy}")
    if any(finding.failed for finding in findings):
        sys.exit(FAULTY)
