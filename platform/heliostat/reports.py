"""The reports of an experiment in a log, as its command and the service hand them out."""

from __future__ import annotations

import gzip
import time

from heliostat.ports import RunLog
from heliostat.writes import FreezeReport, new_key

LARGEST_MODEL = 2000
"""Most runs that a model is fitted to for a report; more take minutes."""


def freeze(
    log: RunLog,
    experiment: int,
    *,
    kind: str = "report",
    title: str | None = None,
    comment: str = "",
    user: str = "",
    key: str | None = None,
) -> int:
    """Keep a report of the experiment as it is now in its log; it never changes.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        kind: ``report``, or ``metrics`` for the page for stakeholders.
        title: Of the page; by default project and name.
        comment: Its author's words.
        user: Its author.
        key: Whoever freezes again with the same key gets the first report.

    Returns:
        The report's id.

    Raises:
        NotFound: There is no such experiment.
        InvalidValue: The kind is unknown.
    """
    spec, now = log.experiment(experiment).spec, time.time()
    write = metrics_text if kind == "metrics" else report_text
    html = write(log, experiment, form="html", title=title, comment=comment)
    page = gzip.compress(html.encode("utf-8", "replace"), mtime=0)
    head = title or f"{spec.project} / {spec.name}"
    frozen = FreezeReport(
        experiment, head, page, time=now, comment=comment, kind=kind, user=user, key=key or new_key()
    )
    return log.apply(frozen).id or 0


def metrics_text(
    log: RunLog, experiment: int, *, form: str, title: str | None = None, comment: str = ""
) -> str:
    """The page for stakeholders: question, answer, evidence, caveats.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        form: ``html`` or ``markdown``.
        title: Of the page; by default project and name.
        comment: Its author's words.

    Raises:
        NotFound: There is no such experiment.
    """
    from heliostat.report import metrics_html, metrics_markdown, metrics_report

    spec, runs = log.experiment(experiment).spec, log.runs(experiment, curves=True)
    found = metrics_report(spec, runs, title=title, comment=comment, generated=time.time())
    return metrics_html(found) if form == "html" else metrics_markdown(found)


def report_text(
    log: RunLog,
    experiment: int,
    *,
    form: str,
    title: str | None = None,
    comment: str = "",
    log_url: str = "",
) -> str:
    """The whole report, with the searcher's model where that takes seconds.

    Args:
        log: Where the experiment is.
        experiment: Its id.
        form: ``html`` or ``markdown``.
        title: Of the page; by default project and name.
        comment: Its author's words.
        log_url: Where the report says that its runs are kept.

    Raises:
        NotFound: There is no such experiment.
    """
    from heliostat.engine import is_noisy, read_sources, recommended, surrogate_of
    from heliostat.report import markdown, render, view

    spec = log.experiment(experiment).spec
    runs = [run for run in log.runs(experiment, curves=True) if not run.archived]
    sources = read_sources(spec, log, experiment)
    surrogate = surrogate_of(spec, runs, sources) if len(runs) <= LARGEST_MODEL else None
    point = recommended(log, experiment) if is_noisy(spec, runs) else None
    if form == "html":
        return render(
            spec,
            runs,
            title=title,
            comment=comment,
            log_url=log_url,
            recommended=point,
            surrogate=surrogate,
            sources=sources,
        )
    found = view(
        spec,
        runs,
        title=title,
        comment=comment,
        generated=time.time(),
        log_url=log_url,
        recommended=point,
        surrogate=surrogate,
        sources=sources,
    )
    return markdown(found)
