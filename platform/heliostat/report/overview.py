"""What an experiment's page and its report both print: one frozen value, all decisions made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.analysis import Counts, Importance, best_run, counts
from heliostat.experiment import ExperimentSpec
from heliostat.figures import Card, overview
from heliostat.figures.limits import limit_text
from heliostat.report.failures import Failures, failures
from heliostat.report.headlines import Headline, headlines, state_counts
from heliostat.report.tables import Cell, Leaders, cell, leaders_table
from heliostat.trial import Run


@dataclass(frozen=True)
class Best:
    """The best run's assignments, to read and to copy."""

    number: int
    pairs: tuple[tuple[str, Cell], ...]
    python: str
    json: str


@dataclass(frozen=True)
class Overview:
    """Words, tables and cards of an experiment.

    Args:
        counts: Numbers of runs.
        states: ``(tone, words, number)`` per kind of end.
        headlines: Large facts.
        best: The best run of one objective, if there is one.
        leaders: The Pareto front of several objectives, if there are several.
        limits: Guardrails in words.
        cards: Figures of the overview.
        failures: Failed runs.
    """

    counts: Counts
    states: tuple[tuple[str, str, int], ...]
    headlines: tuple[Headline, ...]
    best: Best | None
    leaders: Leaders | None
    limits: tuple[str, ...]
    cards: tuple[Card, ...]
    failures: Failures


def overview_of(spec: ExperimentSpec, runs: Sequence[Run], known: Sequence[Importance]) -> Overview:
    """The overview of an experiment and its runs, with the importances that were found before."""
    is_multi = len(spec.metrics.objectives) > 1
    return Overview(
        counts=counts(spec, runs),
        states=state_counts(spec, runs),
        headlines=headlines(spec, runs),
        best=best_point(spec, runs),
        leaders=leaders_table(spec, runs) if is_multi else None,
        limits=tuple(limit_text(metric) for metric in spec.metrics.guardrails),
        cards=overview(spec, runs, known=known),
        failures=failures(runs),
    )


def best_point(spec: ExperimentSpec, runs: Sequence[Run]) -> Best | None:
    """The best run of one objective, if there is one."""
    run = best_run(spec, runs)
    if run is None:
        return None
    values = dict(run.assignments)
    pairs = tuple((name, cell(value)) for name, value in values.items())
    lines = ",\n".join(f"    {name!r}: {value!r}" for name, value in values.items())
    return Best(run.number, pairs, f"{{\n{lines},\n}}", json.dumps(values, indent=2, ensure_ascii=False))
