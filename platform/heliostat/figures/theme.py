"""One look for all figures: colours by role, layout, axes.

Figures carry the light colours; a page replaces each by its dark partner (:data:`DARK`) when it is dark.
"""

from __future__ import annotations

from typing import Any

ACCENT = "#b8730b"
GOOD = "#0f766e"
BAD = "#b4432f"
QUIET = "#8a94a3"
TEXT = "#1c2733"
MUTED = "#566373"
GRID = "#e3e1da"
CLEAR = "rgba(0,0,0,0)"

DARK = {
    ACCENT: "#f0ac3c",
    GOOD: "#4fb8a9",
    BAD: "#ef8468",
    QUIET: "#7d8896",
    TEXT: "#e6e9ed",
    MUTED: "#a3adb9",
    GRID: "#2f363f",
}
"""The dark partner of each light colour."""

MARGIN = {"l": 56, "r": 20, "t": 48, "b": 46}
"""Room for a legend of one row and for usual labels, in pixels.

Plotly widens what is too narrow and then draws the whole figure again.
"""

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis with our grid and a quiet title."""
    return {
        "title": {"text": title, "font": {"color": MUTED, "size": 12}, "standoff": 8},
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": MUTED, "size": 11},
        "exponentformat": "power",
        **settings,
    }


def layout(x: dict[str, Any], y: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A layout without a title (the card has it) and with its legend above the plot."""
    return {
        "xaxis": x,
        "yaxis": y,
        "font": {"family": FONT, "color": TEXT, "size": 12},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": dict(MARGIN),
        "hovermode": "closest",
        "hoverlabel": {"align": "left"},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"color": MUTED, "size": 11},
            "bgcolor": CLEAR,
            "itemclick": "toggle",
        },
        **settings,
    }
