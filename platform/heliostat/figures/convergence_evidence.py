"""Whether the search has converged: its gains, the last that counts, and the runs since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Progress, progress
from heliostat.convergence import Convergence, converged
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.coverage import reached_places
from heliostat.figures.numbers import AXIS_LENGTH, compact, label
from heliostat.figures.scale import Scale, scale
from heliostat.figures.theme import ACCENT, GOOD, MUTED, QUIET, axis, layout
from heliostat.trial import Run

KEY, TITLE = "convergence", "Convergence"


def convergence_evidence(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """The line of what was won, a mark at the last gain that counts, and the patience after it."""
    verdict = converged(spec, runs)
    reached = progress(spec, runs) if spec.metrics.objectives else reached_places(spec, runs)
    known = [value for value in reached.values if math.isfinite(value)]
    if not known or "last_gain_run" not in verdict.evidence:
        needed = "keeps all limits" if spec.metrics.guardrails else "completes"
        return Card(
            KEY, TITLE, absent=f"There is nothing to judge yet. It appears with the first run that {needed}."
        )
    shown = scale(known, keep=known[-1:])
    return Card(
        KEY,
        TITLE,
        claim=verdict.reason,
        how_to_read=_reading(verdict),
        figure=compact(_figure(reached, verdict, shown)),
        notes=_notes(verdict),
    )


def _reading(verdict: Convergence) -> str:
    end = "it has been used up" if verdict.is_converged else "the search goes on until it is used up"
    return f"The band is the patience after the last gain that counts (amber); {end}."


def _notes(verdict: Convergence) -> tuple[str, ...]:
    numbers = verdict.evidence
    gain = numbers["meaningful_gain"]
    notes = [f"A gain counts from {gain:.3g} on."] if gain else []
    if "noise" in numbers:
        notes.append(f"The noise of a result is {numbers['noise']:.3g}.")
    if "expected_gain" in numbers:
        notes.append(f"Of its last points the model expected at most {numbers['expected_gain']:.3g} more.")
    return tuple(notes)


def _figure(reached: Progress, verdict: Convergence, shown: Scale) -> dict[str, Any]:
    level = dict(zip(reached.numbers, reached.values, strict=True))
    gained = int(verdict.evidence["last_gain_run"])
    end = gained + int(verdict.evidence["runs_needed"])
    first, last = min(reached.numbers), max(*reached.numbers, end)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far",
        "x": list(reached.numbers),
        "y": list(reached.values),
        "line": {"shape": "hv", "color": ACCENT, "width": 2},
        "hoverinfo": "skip",
    }
    mark = {
        "type": "scatter",
        "mode": "markers",
        "name": "last gain that counts",
        "x": [gained],
        "y": [level.get(gained)],
        "customdata": [gained],
        "hovertext": [f"<b>run {gained}</b>"],
        "hoverinfo": "text",
        "marker": {"color": ACCENT, "size": 10},
    }
    color = GOOD if verdict.is_converged else QUIET
    band = {"type": "rect", "x0": gained, "x1": end, "yref": "paper", "y0": 0, "y1": 1, "fillcolor": color}
    band |= {"opacity": 0.12, "line": {"width": 0}, "layer": "below"}
    room = max(0.5, 0.02 * (last - first))
    x = axis(
        "run", range=[first - room, last + room], tickformat="d", **({"dtick": 1} if last - first < 8 else {})
    )
    text = {"x": (gained + end) / 2, "y": 0.02, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    text |= {"text": f"patience: {end - gained} runs", "font": {"color": MUTED, "size": 11}}
    y = axis(label(_measure(reached), longest=AXIS_LENGTH), **shown.axis)
    return {"data": [line, mark], "layout": layout(x, y, shapes=[band], annotations=[text])}


def _measure(reached: Progress) -> str:
    return {"hypervolume": "hypervolume, share of box", "coverage": "different places found"}.get(
        reached.measure, reached.measure
    )
