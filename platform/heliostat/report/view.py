"""What the report's template prints: one frozen value, all decisions made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from heliostat.analysis import importances
from heliostat.experiment import ExperimentSpec
from heliostat.figures import Card, analyses
from heliostat.figures.theme import DARK
from heliostat.ports import Surrogate
from heliostat.report.dates import day_of
from heliostat.report.headlines import recommendation
from heliostat.report.overview import Overview, overview_of
from heliostat.report.tables import runs_table
from heliostat.trial import Proposal, Run


@dataclass(frozen=True)
class View(Overview):
    """A report, ready to print: an overview and what is the report's own.

    Args:
        title: Of the page.
        comment: Its author's words.
        project: The experiment's project.
        name: The experiment's name.
        generated: When the report was made, ISO 8601, UTC.
        log_url: Where the runs came from, without a password; empty if not said.
        analyses: Further figures, those that can be drawn.
        data: What the scripts read.
    """

    title: str
    comment: str
    project: str
    name: str
    generated: str
    log_url: str
    analyses: tuple[Card, ...]
    data: dict[str, Any]


def view(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    title: str | None,
    comment: str = "",
    generated: float,
    log_url: str,
    recommended: Proposal | None = None,
    surrogate: Surrogate | None = None,
    sources: Sequence[Run] = (),
) -> View:
    """The view of an experiment and its runs."""
    known = importances(spec, runs)
    found = overview_of(spec, runs, known)
    further = analyses(spec, runs, surrogate=surrogate, sources=sources, known=known)
    drawn = tuple(card for card in further if card.figure is not None)
    figures = {
        card.key: card.figure
        for card in (*found.cards, *drawn)
        if card.figure is not None and card.kind != "importance"
    }
    told = (*found.headlines, *recommendation(spec, recommended))
    return View(
        **vars(replace(found, headlines=told)),
        title=title or f"{spec.project} / {spec.name}",
        comment=comment,
        project=spec.project,
        name=spec.name,
        generated=day_of(generated),
        log_url=without_password(log_url),
        analyses=drawn,
        data={"figures": figures, "dark": DARK, "table": runs_table(spec, runs)},
    )


def without_password(url: str) -> str:
    """The URL without the password that a database URL may carry."""
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
    except ValueError:
        return ""
    if not has_password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}"))
