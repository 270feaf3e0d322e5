"""How much of each metric's variation each parameter explains, by the searcher's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Sensitivity, ranked_parameters
from heliostat.figures.card import Card
from heliostat.figures.numbers import AXIS_LENGTH, compact, label
from heliostat.figures.theme import ACCENT, GOOD, MUTED, QUIET, TEXT, axis, layout

KEY, TITLE = "sensitivity", "Sensitivity"
MOST = 8
"""Most parameters drawn."""

LEAST = 0.01
"""Parameters that explain less than this of every metric are not drawn."""

MOST_METRICS = 4
COLORS = (GOOD, ACCENT, QUIET, MUTED)
ARROWS = {1: " ↑", -1: " ↓", 0: ""}

NO_MODEL = (
    "There is no model of the results yet. It appears once runs at three different places have completed "
    "with results that differ."
)
"""Why cards that need the surrogate are absent."""


def sensitivity(found: Sequence[Sensitivity]) -> Card:
    """Bars of total Sobol indices, one group per parameter, one bar per metric.

    Args:
        found: As :func:`heliostat.analysis.sensitivities` gives them; empty without a model.
    """
    known = [item for item in found if item.total][:MOST_METRICS]
    if not known:
        return Card(KEY, TITLE, absent=NO_MODEL)
    every = ranked_parameters(known)
    order = [name for name in every if any(item.total[name] >= LEAST for item in known)] or every[:1]
    hidden = len(order) - MOST
    idle = len(every) - len(order)
    flat = [item.metric for item in found if not item.total]
    notes = [f"The model of {', '.join(flat)} does not vary."] if flat else []
    notes += [f"{_parameters(idle)} under {100 * LEAST:.0f} % of every metric."] if idle else []
    notes += [f"{hidden} less influential parameters are not drawn."] if hidden > 0 else []
    return Card(
        KEY,
        TITLE,
        claim="; ".join(f"{item.metric}: {ranked_parameters([item])[0]}" for item in known),
        how_to_read="A longer bar explains more of the metric; arrows say whether it rises or falls.",
        figure=compact(_figure(known, order[:MOST])),
        notes=tuple(notes),
    )


def _parameters(count: int) -> str:
    return "1 parameter explains" if count == 1 else f"{count} parameters explain"


def _figure(known: Sequence[Sensitivity], names: Sequence[str]) -> dict[str, Any]:
    shown = [label(name, longest=22) for name in names]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": label(item.metric, longest=AXIS_LENGTH),
            "x": [item.total[name] for name in names],
            "y": list(range(len(names))),
            "text": [f"{item.total[name]:.2f}{ARROWS[item.direction[name]]}" for name in names],
            "textposition": "outside",
            "textfont": {"color": TEXT, "size": 11},
            "cliponaxis": False,
            "marker": {"color": color},
            "hovertext": [
                f"{head}<br>{label(item.metric, longest=30)}: {item.own[name]:.2f} alone, "
                f"{item.total[name]:.2f} with others"
                for name, head in zip(names, shown, strict=True)
            ],
            "hoverinfo": "text",
        }
        for item, color in zip(known, COLORS, strict=False)
    ]
    x = axis("share of variance", range=[0, 1.12])
    y = axis(
        "", tickvals=list(range(len(names))), ticktext=shown, range=[len(names) - 0.5, -0.5], showgrid=False
    )
    return {"data": traces, "layout": layout(x, y, barmode="group", bargap=0.25 if len(names) > 2 else 0.6)}
