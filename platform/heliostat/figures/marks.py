"""How runs are drawn as points, the same in every figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from heliostat.analysis import Standing
from heliostat.figures.numbers import label, short
from heliostat.figures.theme import ACCENT, BAD, GOOD, QUIET, TEXT
from heliostat.trial import Run

LARGEST = 5000
"""Most runs that a figure is computed from, if that takes more than a look at each. Later ones are kept."""

MOST_MARKS = 500
"""Most marks of all runs: each costs the page some 250 bytes and a browser a tenth of a millisecond."""

FEWEST_MARKS = 100
"""Of a group that is small beside another one, so that it is still seen."""

HOVER_PARAMETERS = 8

NAMES = {
    Standing.FEASIBLE: "feasible",
    Standing.INFEASIBLE: "over guardrail",
    Standing.EARLY_STOPPED: "stopped early",
    Standing.FAILED: "failed",
}

MARKERS: dict[Standing, dict[str, Any]] = {
    Standing.FEASIBLE: {"symbol": "circle", "size": 7, "color": GOOD, "opacity": 0.8},
    Standing.INFEASIBLE: {"symbol": "x-thin-open", "size": 7, "color": BAD, "line": {"width": 1.6}},
    Standing.EARLY_STOPPED: {"symbol": "circle", "size": 5, "color": QUIET, "opacity": 0.9},
    Standing.FAILED: {"symbol": "line-ns-open", "size": 8, "color": BAD, "line": {"width": 1.5}},
}

LEADER = {"symbol": "circle", "size": 10, "color": ACCENT, "opacity": 1}


def shares(sizes: Iterable[int]) -> list[int]:
    """How many marks groups of so many runs get in one figure."""
    counts = list(sizes)
    whole = max(MOST_MARKS, sum(counts))
    return [min(count, max(FEWEST_MARKS, round(MOST_MARKS * count / whole))) for count in counts]


def points(
    runs: Sequence[Run],
    x: Sequence[float],
    y: Sequence[float],
    *,
    name: str,
    marker: dict[str, Any],
    most: int = MOST_MARKS,
) -> dict[str, Any]:
    """A trace with one mark per run; ``customdata`` holds the run's number for linked highlighting.

    Of more than `most` runs evenly spaced ones are drawn, and the trace's name says so.
    """
    if len(runs) > most:
        places = [round(place * (len(runs) - 1) / (most - 1)) for place in range(most)]
        name = f"{name} ({most} of {len(runs)})"
        runs = [runs[place] for place in places]
        x, y = ([given[place] for place in places] for given in (x, y))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(x),
        "y": list(y),
        "customdata": [run.number for run in runs],
        "hovertext": [hover(run) for run in runs],
        "hoverinfo": "text",
        "marker": dict(marker),
    }


def selected() -> dict[str, Any]:
    """An empty last trace, which the page fills with the run under the pointer."""
    ring = {"symbol": "circle-open", "size": 14, "color": TEXT, "line": {"width": 2}}
    line = {"color": TEXT, "width": 2.5}
    settings = {"hoverinfo": "skip", "showlegend": False, "marker": ring, "line": line, "meta": "selected"}
    return {"type": "scatter", "mode": "markers", "x": [], "y": [], **settings}


def hover(run: Run) -> str:
    """What the pointer shows of a run: number, metrics, the first parameters."""
    lines = [f"<b>run {run.number}</b> {label(run.state.value.replace('_', ' '))}"]
    lines += [f"{label(name, longest=30)} {short(value)}" for name, value in run.numbers.items()]
    given = list(run.assignments.items())
    lines += [
        f"{label(name, longest=30)} = {label(short(value), longest=30)}"
        for name, value in given[:HOVER_PARAMETERS]
    ]
    if len(given) > HOVER_PARAMETERS:
        lines.append(f"… {len(given) - HOVER_PARAMETERS} more parameters")
    return "<br>".join(lines)


def value_of(run: Run, metric: str) -> float:
    """The run's value of a metric, NaN where it is missing."""
    return run.numbers.get(metric, math.nan)
