"""Three metrics against each other in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Standing, leaders
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import SHADE, limit_text
from heliostat.figures.marks import LEADER, MARKERS, NAMES, points, value_of
from heliostat.figures.numbers import AXIS_LENGTH, compact, label
from heliostat.figures.scale import EDGE, Scale, outside_note, scale
from heliostat.figures.theme import BAD, CLEAR, GRID, MUTED, axis, layout
from heliostat.metrics import Metric
from heliostat.trial import Run

KEY, TITLE = "pareto-3d", "Three metrics"
LARGEST = 2000
"""Most marks in space: turning them must stay fluent."""

LETTERS = "xyz"


def pareto_3d(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """The first three steering metrics (objectives first), with a plane at each limit."""
    axes = spec.metrics.steering[:3]
    if len(axes) < 3:
        absent = f"Only {len(axes)} metrics steer here. It appears with three objectives and guardrails."
        return Card(KEY, TITLE, absent=absent.replace("1 metrics steer", "1 metric steers"))
    groups = {
        standing: [
            run
            for run in in_standing(spec, runs, standing)
            if all(math.isfinite(value_of(run, metric.name)) for metric in axes)
        ][-LARGEST:]
        for standing in (Standing.INFEASIBLE, Standing.FEASIBLE)
    }
    every = [run for group in groups.values() for run in group]
    names = ", ".join(metric.name for metric in axes)
    if not every:
        absent = f"No completed run has all of {names} yet. It appears with the first that reports them."
        return Card(KEY, TITLE, claim=names, absent=absent)
    best = leaders(spec, groups[Standing.FEASIBLE])
    scales = [_scale(metric, every, best) for metric in axes]
    outside = sum(shown.outside for shown in scales)
    return Card(
        KEY,
        TITLE,
        claim=names,
        how_to_read=_reading(axes),
        figure=compact(_figure(axes, scales, groups, best, len(spec.metrics.objectives) > 1)),
        notes=(outside_note(outside, "value"),) if outside else (),
    )


def _reading(axes: Sequence[Metric]) -> str:
    limits = [limit_text(metric) for metric in axes if metric.threshold is not None]
    planes = f"; runs must stay on the open side of the plane at {' and '.join(limits)}" if limits else ""
    return f"Drag to turn it: amber runs are not beaten in every objective{planes}."


def _scale(metric: Metric, runs: Sequence[Run], best: Sequence[Run]) -> Scale:
    keep = [value_of(run, metric.name) for run in best]
    if metric.threshold is not None:
        keep.append(metric.threshold)
    return scale([value_of(run, metric.name) for run in runs], keep=keep)


def _figure(
    axes: Sequence[Metric],
    scales: Sequence[Scale],
    groups: dict[Standing, list[Run]],
    best: Sequence[Run],
    is_front: bool,
) -> dict[str, Any]:
    chosen = {run.number for run in best}
    traces = []
    for standing, group in groups.items():
        rest = [run for run in group if run.number not in chosen]
        marker = {"size": 3, "color": MARKERS[standing]["color"], "opacity": 0.75}
        marker["symbol"] = "x" if standing is Standing.INFEASIBLE else "circle"
        if rest:
            traces.append(_marks(axes, rest, NAMES[standing], marker))
    if best:
        marker = {"size": 5, "color": LEADER["color"], "symbol": "circle"}
        traces.append(_marks(axes, best, "Pareto front" if is_front else "best", marker))
    for letter, metric in zip(LETTERS, axes, strict=True):
        if metric.threshold is not None and abs(metric.threshold) <= EDGE:
            traces.append(_plane(letter, metric.threshold, scales))
    scene: dict[str, Any] = {
        f"{letter}axis": _axis(metric, shown)
        for letter, metric, shown in zip(LETTERS, axes, scales, strict=True)
    }
    scene["aspectmode"] = "cube"
    scene["camera"] = {"eye": {"x": 1.5, "y": 1.5, "z": 0.55}, "center": {"x": 0, "y": 0, "z": -0.18}}
    frame = layout({}, {}, scene=scene, margin={"l": 0, "r": 0, "t": 30, "b": 0})
    return {
        "data": traces,
        "layout": {key: item for key, item in frame.items() if key not in ("xaxis", "yaxis")},
    }


def _marks(axes: Sequence[Metric], runs: Sequence[Run], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    x, y, z = ([value_of(run, metric.name) for run in runs] for metric in axes)
    return {**points(runs, x, y, name=name, marker=marker), "type": "scatter3d", "z": z}


def _plane(letter: str, threshold: float, scales: Sequence[Scale]) -> dict[str, Any]:
    """The limit as two triangles across the shown box."""
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    ends = dict(zip(LETTERS, ((shown.low, shown.high) for shown in scales), strict=True))
    across = [name for name in LETTERS if name != letter]
    places = {name: [ends[name][corner[place]] for corner in corners] for place, name in enumerate(across)}
    return {
        "type": "mesh3d",
        **places,
        letter: [threshold] * 4,
        "i": [0, 0],
        "j": [1, 2],
        "k": [2, 3],
        "color": BAD,
        "opacity": 2 * SHADE,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _axis(metric: Metric, shown: Scale) -> dict[str, Any]:
    found = axis(label(metric.name, longest=AXIS_LENGTH), **shown.axis)
    found.pop("automargin")
    found["title"] = {"text": found["title"]["text"], "font": {"color": MUTED, "size": 11}}
    found["tickfont"] = {"color": MUTED, "size": 9}
    found["nticks"] = 5
    return {**found, "backgroundcolor": CLEAR, "showbackground": False, "gridcolor": GRID}
