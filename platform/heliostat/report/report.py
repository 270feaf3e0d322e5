"""Reports as one HTML text that loads nothing from anywhere."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.experiment import ExperimentSpec
from heliostat.figures.embedding import embedded_json
from heliostat.ports import Surrogate
from heliostat.report.embedding import own_file, plotly_script
from heliostat.report.view import view
from heliostat.trial import Proposal, Run

if TYPE_CHECKING:
    import jinja2

STYLES = ("report.css",)
SCRIPTS = ("format.js", "links.js", "table.js", "parallel.js", "charts.js", "page.js")


def render(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    title: str | None = None,
    comment: str = "",
    generated: Callable[[], float] = time.time,
    log_url: str = "",
    recommended: Proposal | None = None,
    surrogate: Surrogate | None = None,
    sources: Sequence[Run] = (),
) -> str:
    """The report of an experiment.

    Args:
        spec: The experiment.
        runs: Its runs, read with their curves if curves are to be drawn.
        title: Title of the page; by default project and name.
        comment: What its author has to say, above everything else.
        generated: Clock that dates the report, in seconds since the epoch.
        log_url: Where the runs are kept; printed without its password.
        recommended: The point to use, where that is not the best run's.
        surrogate: A model of the runs (:func:`heliostat.engine.surrogate_of`), if it is to be shown.
        sources: Runs of the experiments that this one learned from.

    Returns:
        HTML with everything inside it, about 5 MB, most of it plotly.js. Its body gets the attribute
        ``data-ready`` once all is drawn.
    """
    from markupsafe import Markup

    page = view(
        spec,
        runs,
        title=title,
        comment=comment,
        generated=generated(),
        log_url=log_url,
        recommended=recommended,
        surrogate=surrogate,
        sources=sources,
    )
    has_plots = any(card.kind == "plotly" and card.figure for card in (*page.cards, *page.analyses))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            view=page,
            data=Markup(embedded_json(page.data)),
            style=Markup("\n".join(own_file(name) for name in STYLES)),
            script=Markup("\n".join(own_file(name) for name in SCRIPTS)),
            plotly=Markup(plotly_script()) if has_plots else "",
        )
    )


def write(path: str | Path, spec: ExperimentSpec, runs: Sequence[Run], **options: Any) -> Path:
    """:func:`render`, with its options, to a file, which is whole or not there at all.

    Returns:
        The path written.

    Raises:
        OSError: The folder does not exist or cannot be written; an older file stays as it was.
    """
    return save(path, render(spec, runs, **options))


def save(path: str | Path, text: str) -> Path:
    """Write a text so that a reader finds all of it or what was there before."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_mask())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    return target


def _mask() -> int:
    """The process's file mode mask; the system only tells it while setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def environment() -> jinja2.Environment:
    """Templates of reports; everything printed is escaped."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("heliostat.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
