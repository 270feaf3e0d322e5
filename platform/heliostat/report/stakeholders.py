"""The report on metrics as HTML without scripts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from heliostat.experiment import ExperimentSpec
from heliostat.figures.svg import drawing
from heliostat.report.embedding import own_file
from heliostat.report.metrics import RULE, MetricsReport, metrics_report
from heliostat.report.report import environment, save
from heliostat.trial import Run

STYLES = ("report.css", "paper.css")


def metrics_html(report: MetricsReport) -> str:
    """One page with everything inside it, a few dozen kilobytes; it prints on one or two sheets."""
    from markupsafe import Markup

    template = environment().get_template("metrics.html.j2")
    return template.render(
        report=report,
        rule=RULE,
        style=Markup("\n".join(own_file(name) for name in STYLES)),
        pictures=[(card, Markup(drawing(card))) for card in report.cards],
    )


def write_metrics(path: str | Path, spec: ExperimentSpec, runs: Sequence[Run], *, comment: str = "") -> Path:
    """The report on metrics of an experiment as it is now, to a file; returns the path."""
    found = metrics_report(spec, runs, comment=comment, generated=time.time())
    return save(path, metrics_html(found))
