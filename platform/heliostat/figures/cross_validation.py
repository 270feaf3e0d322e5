"""Whether the model can be believed: results beside what it expects of them from all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.marks import hover, selected
from heliostat.figures.numbers import compact, label
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.sensitivity import NO_MODEL
from heliostat.figures.theme import GOOD, MUTED, axis, layout
from heliostat.ports import CrossValidation, Surrogate
from heliostat.trial import Run

KEY, TITLE = "cross-validation", "Can the model be believed?"
MOST_METRICS = 3
DEVIATIONS = 1.96
"""Half of a 95 % interval."""

GOOD_R2, POOR_R2 = 0.7, 0.3
"""Most of the variation foretold, and little of it: words for people, on no scale that is anybody's
standard."""


def cross_validation(
    spec: ExperimentSpec, runs: Sequence[Run], surrogate: Surrogate | None
) -> tuple[Card, ...]:
    """One card per modelled metric: leave-one-out predictions with their intervals."""
    del spec
    found = surrogate.left_out() if surrogate is not None else {}
    if not found:
        return (Card(KEY, TITLE, absent=NO_MODEL),)
    by_number = {run.number: run for run in runs}
    return tuple(
        _card(name, item, by_number, f"{KEY}-{place + 1}" if place else KEY)
        for place, (name, item) in enumerate(list(found.items())[:MOST_METRICS])
    )


def _card(name: str, found: CrossValidation, runs: Mapping[int, Run], key: str) -> Card:
    size = float(np.abs(found.observed).max()) or 1.0
    observed, mean = found.observed / size, found.expected.mean / size
    spread = float(np.sum((observed - observed.mean()) ** 2))
    if not spread > 0:
        absent = f"All results of {name} are equal. It appears once they differ."
        return Card(key, TITLE, claim=name, absent=absent)
    r2 = 1 - float(np.sum((observed - mean) ** 2)) / spread
    inside = np.abs(observed - mean) <= DEVIATIONS * found.expected.stddev / size
    shown = scale(found.observed.tolist())
    figure = _figure(name, found, runs, (shown.low, shown.high), shown.axis)
    return Card(
        key,
        TITLE,
        claim=f"{name}: {_word(r2)} (R² {r2:.2f}); {int(inside.sum())} of {len(inside)} in their intervals",
        how_to_read="Marks near the dotted line were foretold well; 19 of 20 bars (95 %) should touch it.",
        figure=compact(figure),
        notes=(outside_note(shown.outside),) if shown.outside else (),
    )


def _word(r2: float) -> str:
    return "yes" if r2 >= GOOD_R2 else "roughly" if r2 >= POOR_R2 else "not yet"


def _figure(
    name: str,
    found: CrossValidation,
    runs: Mapping[int, Run],
    ends: tuple[float, float],
    shown: dict[str, Any],
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": list(ends),
        "y": list(ends),
        "hoverinfo": "skip",
    }
    line |= {"line": {"color": MUTED, "dash": "dot", "width": 1.2}, "name": "as expected"}
    bars = {"type": "data", "array": (DEVIATIONS * found.expected.stddev).tolist(), "width": 0}
    marks: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": "runs",
        "x": found.observed.tolist(),
        "y": found.expected.mean.tolist(),
        "error_y": {**bars, "color": GOOD, "thickness": 1},
        "customdata": list(found.numbers),
        "hovertext": [hover(runs[number]) if number in runs else "" for number in found.numbers],
        "hoverinfo": "text",
        "marker": {"color": GOOD, "size": 6, "opacity": 0.8},
    }
    x = axis(f"measured {label(name, longest=24)}", **shown)
    y = axis(f"expected {label(name, longest=24)}", **shown)
    return {"data": [line, marks, selected()], "layout": {**layout(x, y), "showlegend": False}}
