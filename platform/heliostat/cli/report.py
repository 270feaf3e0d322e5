"""``heliostat report``: an experiment's report, for those who run it or for those who decide."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from heliostat.cli.options import existing_log, log_option
from heliostat.registry import MIRRORS, load
from heliostat.tracking.capture.machine import user


@click.command()
@click.argument("experiment", type=int)
@click.option("--format", "form", type=click.Choice(["html", "markdown"]), default="html", show_default=True)
@click.option(
    "--metrics", is_flag=True, help="One page for stakeholders: question, answer, evidence, caveats."
)
@click.option("--title", help="Instead of project and name.")
@click.option("--comment", default="", help="Your words above the report; '-' reads standard input.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; '-' is standard output.")
@click.option("--freeze", "freezes", is_flag=True, help="Keep it in the run log, as it is now, to be shared.")
@click.option("--mlflow", "to_mlflow", is_flag=True, help="Store it in MLflow, as the artifact of a run.")
@click.option("--uri", metavar="URI", help="MLflow's address; default: $MLFLOW_TRACKING_URI.")
@log_option
def command(
    experiment: int,
    form: str,
    metrics: bool,
    title: str | None,
    comment: str,
    output: Path | None,
    freezes: bool,
    to_mlflow: bool,
    uri: str | None,
    log_url: str | None,
) -> None:
    """Write a report of an experiment as it is now.

    HTML goes to heliostat-ID.html (or -metrics.html), Markdown to standard output, unless -o is given. A
    browser prints the HTML as PDF; the file needs nothing else and never changes. With --mlflow it goes into
    MLflow beside the experiment's runs, with --freeze into the run log, where the experiment's page lists and
    shares it; and into a file only if -o is given.
    """
    from heliostat.report import save
    from heliostat.reports import freeze, metrics_text, report_text

    log = existing_log(log_url)
    words = sys.stdin.read() if comment == "-" else comment
    if freezes:
        kind = "metrics" if metrics else "report"
        id = freeze(log, experiment, kind=kind, title=title, comment=words, user=user())
        click.echo(f"froze report {id}: /reports/{id} of heliostat serve", err=True)
        if output is None and not (to_mlflow or uri):
            return
    if metrics:
        text = metrics_text(log, experiment, form=form, title=title, comment=words)
    else:
        text = report_text(log, experiment, form=form, title=title, comment=words, log_url=log.url)
    suffix = "-metrics" if metrics else ""
    if to_mlflow or uri:
        name = f"report{suffix}.{'html' if form == 'html' else 'md'}"
        spec = log.experiment(experiment).spec
        head = title or f"Report on {spec.name}"
        content = {name: text.encode("utf-8", "replace")}
        place = load(MIRRORS, "mlflow_report")(log, experiment, content, title=head, uri=uri)
        click.echo(f"{name} is at {place}", err=True)
        if output is None:
            return
    target = output or Path(f"heliostat-{experiment}{suffix}.html" if form == "html" else "-")
    if str(target) == "-":
        click.echo(text.encode("utf-8", "replace"), nl=False)
        return
    try:
        save(target, text)
    except OSError as error:
        raise click.FileError(str(target), error.strerror or str(error)) from None
    click.echo(f"wrote {target}", err=True)
