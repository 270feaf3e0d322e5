"""Each guardrail's metric run by run, with its limit and the side that misses it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Standing
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import limit_on, limit_text
from heliostat.figures.marks import LARGEST, MARKERS, points, selected, value_of
from heliostat.figures.numbers import AXIS_LENGTH, compact, label
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import axis as plain_axis
from heliostat.figures.theme import layout
from heliostat.metrics import Metric
from heliostat.trial import Run

KEY, TITLE = "guardrail", "Guardrail"
MOST = 4
"""Most guardrails drawn on one page."""


def guardrails(spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[Card, ...]:
    """One card per guardrail, in declared order."""
    limits = spec.metrics.guardrails
    if not limits:
        absent = "No metric has a limit to keep. It appears in experiments that declare guardrail(…)."
        return (Card(KEY, TITLE, absent=absent),)
    return tuple(
        _card(spec, runs, metric, f"{KEY}-{place + 1}" if place else KEY)
        for place, metric in enumerate(limits[:MOST])
    )


def _card(spec: ExperimentSpec, runs: Sequence[Run], metric: Metric, key: str) -> Card:
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    known = [run for run in counted if math.isfinite(value_of(run, metric.name))]
    if not known:
        absent = f"No completed run has a finite {metric.name} yet. It appears with the first that does."
        return Card(key, TITLE, claim=limit_text(metric), absent=absent)
    kept = sum(metric.is_met(value_of(run, metric.name)) for run in known)
    shown = scale(
        [value_of(run, metric.name) for run in known],
        keep=[] if metric.threshold is None else [metric.threshold],
    )
    shapes, annotations = limit_on("y", metric, shown)
    last = max(run.number for run in known)
    first = min(run.number for run in known)
    room = max(0.5, 0.02 * (last - first))
    steps = {"dtick": 1} if last - first < 8 else {}
    x = plain_axis("run", range=[first - room, last + room], tickformat="d", **steps)
    y = plain_axis(label(metric.name, longest=AXIS_LENGTH), **shown.axis)
    traces = _traces(metric, known[-LARGEST:])
    figure = {"data": [*traces, selected()], "layout": layout(x, y, shapes=shapes, annotations=annotations)}
    return Card(
        key,
        TITLE,
        claim=f"{limit_text(metric)} is kept by {kept} of {len(known)} completed runs",
        how_to_read="Each mark is a run; crosses on the shaded side of the dashed line miss this limit.",
        figure=compact(figure),
        notes=(outside_note(shown.outside),) if shown.outside else (),
    )


def _traces(metric: Metric, runs: Sequence[Run]) -> list[dict[str, Any]]:
    groups = {
        "keeps it": ([run for run in runs if metric.is_met(value_of(run, metric.name))], Standing.FEASIBLE),
        "misses it": (
            [run for run in runs if not metric.is_met(value_of(run, metric.name))],
            Standing.INFEASIBLE,
        ),
    }
    return [
        points(
            group,
            [run.number for run in group],
            [value_of(run, metric.name) for run in group],
            name=name,
            marker=MARKERS[standing],
        )
        for name, (group, standing) in groups.items()
        if group
    ]
