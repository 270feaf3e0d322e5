"""Figures of a project: how its metrics moved over time, across experiments and runs without one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from heliostat.figures import Card
from heliostat.figures.marks import hover, selected
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import ACCENT, BAD, GOOD, MUTED, QUIET, axis, layout
from heliostat.trial import Run, State

MOST_METRICS = 4
MOST_GROUPS = 7
"""Experiments with a colour of their own, the latest; the others share one."""

COLORS = (ACCENT, GOOD, BAD, "#4c6fb1", "#8a5a9e", "#5f7f2e", MUTED)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon")
"""Groups are told apart without colour too."""

OUTSIDE, OTHERS = "outside experiments", "older experiments"


def metric_cards(runs: Sequence[Run], names: Mapping[int, str]) -> tuple[Card, ...]:
    """A card for each of the metrics that most completed runs have and that differ: every run by its end.

    Args:
        runs: Of one project; charts know them by their ids, as its table does.
        names: Of its experiments, by id.
    """
    done = [run for run in runs if run.state is State.COMPLETED and not run.archived]
    values: defaultdict[str, list[float]] = defaultdict(list)
    for run in done:
        for name, value in run.numbers.items():
            if math.isfinite(value):
                values[name].append(value)
    differing = [name for name, found in values.items() if len(found) == 1 or min(found) < max(found)]
    chosen = sorted(differing, key=lambda name: -len(values[name]))[:MOST_METRICS]
    return tuple(_card(place, name, done, names) for place, name in enumerate(chosen))


def _card(place: int, metric: str, runs: Sequence[Run], names: Mapping[int, str]) -> Card:
    shown = [run for run in runs if math.isfinite(run.numbers.get(metric, math.nan))]
    groups = _grouped(shown, names)
    span = scale([run.numbers[metric] for run in shown])
    traces = [
        _trace(metric, name, found, COLORS[at % len(COLORS)], SYMBOLS[at % len(SYMBOLS)])
        if name != OTHERS
        else _trace(metric, name, found, QUIET, "circle")
        for at, (name, found) in enumerate(groups.items())
    ]
    frame = layout(axis("end of the run", type="date"), axis(label(metric, longest=AXIS_LENGTH), **span.axis))
    frame["showlegend"] = len(groups) > 1
    return Card(
        f"over-time-{place}",
        metric,
        claim=f"{number_of_runs(len(shown))} over time",
        how_to_read="Each mark is a completed run at its end; colours and shapes are experiments.",
        figure=compact({"data": [*traces, selected()], "layout": frame}),
        notes=(outside_note(span.outside),) if span.outside else (),
    )


def _grouped(runs: Sequence[Run], names: Mapping[int, str]) -> dict[str, list[Run]]:
    """The runs by experiment, the one that ended last first; those beyond the colours together."""
    latest: dict[int | None, float] = {}
    for run in runs:
        latest[run.experiment] = max(latest.get(run.experiment, 0.0), _end(run))
    order = sorted(latest, key=lambda id: -latest[id])
    titles = {id: _title(id, names, place) for place, id in enumerate(order)}
    groups: dict[str, list[Run]] = {titles[id]: [] for id in order}
    for run in runs:
        groups[titles[run.experiment]].append(run)
    return groups


def _title(id: int | None, names: Mapping[int, str], place: int) -> str:
    if place >= MOST_GROUPS:
        return OTHERS
    return OUTSIDE if id is None else f"{names.get(id, 'experiment')} ({id})"


def _trace(metric: str, name: str, runs: Sequence[Run], color: str, symbol: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name, longest=30),
        "x": [datetime.fromtimestamp(_end(run), timezone.utc).isoformat() for run in runs],
        "y": [run.numbers[metric] for run in runs],
        "customdata": [run.id for run in runs],
        "hovertext": [f"{label(name, longest=60)}<br>{hover(run)}" for run in runs],
        "hoverinfo": "text",
        "marker": {"color": color, "symbol": symbol, "size": 7, "opacity": 0.8},
    }


def _end(run: Run) -> float:
    return run.ended or run.updated or run.created
