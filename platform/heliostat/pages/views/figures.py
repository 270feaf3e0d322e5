"""Figures of single runs: their curves over each other, and their place among all runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from heliostat.figures import Card
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs, short
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import ACCENT, BAD, GOOD, MARGIN, MUTED, QUIET, axis, layout
from heliostat.trial import Run

LINES = (ACCENT, GOOD, BAD, "#4c6fb1", "#8a5a9e", "#5f7f2e", MUTED, QUIET)
"""Colours of up to eight runs."""

DASHES = ("solid", "dash", "dot", "dashdot")
"""Lines are told apart without colour too."""

MOST_METRICS = 12
MOST_PLACES = 6
"""Histograms of one page."""
LARGEST_CURVE = 1000
BINS = 30


def curve_cards(runs: Sequence[Run], names: Sequence[str] = ()) -> tuple[Card, ...]:
    """One card per metric with a curve, its runs over each other.

    Args:
        runs: At most eight, with their curves.
        names: Of the runs; by default their numbers.
    """
    metrics: dict[str, int] = {}
    for run in runs:
        for point in run.curve:
            for name, value in point.values.items():
                metrics[name] = metrics.get(name, 0) + math.isfinite(value)
    shown = [name for name, count in metrics.items() if count][:MOST_METRICS]
    called = names or [f"run {run.number or run.id}" for run in runs]
    return tuple(_curves(place, name, runs, called) for place, name in enumerate(shown))


def place_cards(run: Run, others: Sequence[Run]) -> tuple[Card, ...]:
    """The run in the histogram of each of its metrics in which the runs differ.

    Args:
        run: The run.
        others: Those that it is compared with.
    """
    cards: list[Card] = []
    for metric, own in run.numbers.items():
        values = [value for other in others if math.isfinite(value := other.numbers.get(metric, math.nan))]
        if math.isfinite(own) and values and {own} != set(values):
            cards.append(_place(metric, own, values, f"place-{len(cards)}"))
    return tuple(cards[:MOST_PLACES])


def _place(metric: str, own: float, values: Sequence[float], key: str) -> Card:
    every = [*values, own]
    shown = scale(every, keep=[own])
    line = {"type": "line", "x0": own, "x1": own, "yref": "paper", "y0": 0, "y1": 1}
    shapes = [{**line, "line": {"color": ACCENT, "width": 2.5}}]
    x = axis(label(metric, longest=AXIS_LENGTH), **shown.axis)
    y = axis("runs", rangemode="tozero")
    frame = layout(x, y, shapes=shapes, bargap=0.06, margin={**MARGIN, "t": 14})
    inside = [value for value in every if shown.low <= value <= shown.high]
    figure = {"data": [_bars(inside, shown.is_log)], "layout": frame}
    below = sum(value < own for value in values)
    claim = f"{short(own)}, above {below} of {len(values)} others"
    notes = (outside_note(shown.outside),) if shown.outside else ()
    reading = "Bars count runs by value; the amber line is this run."
    return Card(key, metric, claim=claim, how_to_read=reading, figure=compact(figure), notes=notes)


def _bars(values: Sequence[float], is_log: bool) -> dict[str, Any]:
    places = np.log10(values) if is_log else np.asarray(values, dtype=float)
    counts, edges = np.histogram(places, bins=min(BINS, max(5, round(math.sqrt(len(values))) * 2)))
    ends = 10.0**edges if is_log else edges
    middles = np.sqrt(ends[:-1] * ends[1:]) if is_log else (ends[:-1] + ends[1:]) / 2
    texts = [
        f"{short(float(low))} to {short(float(high))}: {number_of_runs(int(count))}"
        for low, high, count in zip(ends[:-1], ends[1:], counts, strict=True)
    ]
    return {
        "type": "bar",
        "x": middles.tolist(),
        "y": counts.tolist(),
        "width": (ends[1:] - ends[:-1]).tolist(),
        "hovertext": texts,
        "hoverinfo": "text",
        "marker": {"color": GOOD, "opacity": 0.55},
        "showlegend": False,
    }


def _curves(place: int, metric: str, runs: Sequence[Run], names: Sequence[str]) -> Card:
    traces, values = [], []
    for at, (run, name) in enumerate(zip(runs, names, strict=True)):
        points = [point for point in run.curve if math.isfinite(point.values.get(metric, math.nan))]
        points = points[:: max(1, len(points) // LARGEST_CURVE)]
        if not points:
            continue
        values += [point.values[metric] for point in points]
        traces.append(_line(at, metric, points, name, run))
    shown = scale(values)
    frame = layout(axis("step"), axis(label(metric, longest=AXIS_LENGTH), **shown.axis))
    frame["showlegend"] = len(runs) > 1
    card = Card(
        f"curve-{place}",
        metric,
        claim="at every reported step" if len(runs) == 1 else f"{len(traces)} runs",
        how_to_read="The value at each step.",
        figure=compact({"data": traces, "layout": frame}),
        notes=(outside_note(shown.outside),) if shown.outside else (),
    )
    return card


def _line(at: int, metric: str, points: Sequence[Any], name: str, run: Run) -> dict[str, Any]:
    colour = LINES[at % len(LINES)] if at else ACCENT
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(points) < 30 else "lines",
        "name": label(name, longest=30),
        "x": [point.step for point in points],
        "y": [point.values[metric] for point in points],
        "customdata": [run.number or run.id] * len(points),
        "hovertext": [
            f"<b>{label(name)}</b><br>step {point.step}: {short(point.values[metric])}" for point in points
        ],
        "hoverinfo": "text",
        "line": {"color": colour, "width": 2, "dash": DASHES[(at // 4) % len(DASHES)]},
        "marker": {"size": 5},
    }
