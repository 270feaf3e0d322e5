"""What the report's template prints: one frozen value, all decisions made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from heliostat.analysis import Counts, best_run, counts
from heliostat.experiment import ExperimentSpec
from heliostat.figures import Card, overview
from heliostat.figures.limits import limit_text
from heliostat.figures.theme import DARK
from heliostat.report.failures import Failures, failures
from heliostat.report.headlines import Headline, headlines, recommendation, state_counts
from heliostat.report.tables import Cell, Leaders, cell, leaders_table, runs_table
from heliostat.trial import Proposal, Run


@dataclass(frozen=True)
class Best:
    """The best run's assignments, to read and to copy."""

    number: int
    pairs: tuple[tuple[str, Cell], ...]
    python: str
    json: str


@dataclass(frozen=True)
class View:
    """A report, ready to print.

    Args:
        title: Of the page.
        project: The experiment's project.
        name: The experiment's name.
        generated: When the report was made, ISO 8601, UTC.
        log_url: Where the runs came from, without a password; empty if not said.
        counts: Numbers of runs.
        states: ``(tone, words, number)`` per kind of end.
        headlines: Large facts.
        best: The best run of one objective, if there is one.
        leaders: The Pareto front of several objectives, if there are several.
        limits: Guardrails in words.
        cards: Figures.
        failures: Failed runs.
        data: What the scripts read.
    """

    title: str
    project: str
    name: str
    generated: str
    log_url: str
    counts: Counts
    states: tuple[tuple[str, str, int], ...]
    headlines: tuple[Headline, ...]
    best: Best | None
    leaders: Leaders | None
    limits: tuple[str, ...]
    cards: tuple[Card, ...]
    failures: Failures
    data: dict[str, Any]


def view(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    title: str | None,
    generated: float,
    log_url: str,
    recommended: Proposal | None = None,
) -> View:
    """The view of an experiment and its runs."""
    cards = overview(spec, runs)
    is_multi = len(spec.metrics.objectives) > 1
    figures = {
        card.key: card.figure for card in cards if card.figure is not None and card.kind != "importance"
    }
    return View(
        title=title or f"{spec.project} / {spec.name}",
        project=spec.project,
        name=spec.name,
        generated=datetime.fromtimestamp(generated, timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        log_url=without_password(log_url),
        counts=counts(spec, runs),
        states=state_counts(spec, runs),
        headlines=(*headlines(spec, runs), *recommendation(spec, recommended)),
        best=_best(spec, runs),
        leaders=leaders_table(spec, runs) if is_multi else None,
        limits=tuple(limit_text(metric) for metric in spec.metrics.guardrails),
        cards=cards,
        failures=failures(runs),
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


def _best(spec: ExperimentSpec, runs: Sequence[Run]) -> Best | None:
    run = best_run(spec, runs)
    if run is None:
        return None
    values = dict(run.assignments)
    pairs = tuple((name, cell(value)) for name, value in values.items())
    lines = ",\n".join(f"    {name!r}: {value!r}" for name, value in values.items())
    return Best(run.number, pairs, f"{{\n{lines},\n}}", json.dumps(values, indent=2, ensure_ascii=False))
