"""What the model expects over two parameters, with the edge of what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import Sensitivity, Standing, leaders, ranked_parameters
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import limit_text
from heliostat.figures.marks import LARGEST, LEADER, points, selected
from heliostat.figures.model_base import Base, along, base_point
from heliostat.figures.numbers import compact, label, short
from heliostat.figures.parameter_axes import parameter_axis, parameter_scale, place_of
from heliostat.figures.sensitivity import NO_MODEL
from heliostat.figures.theme import BAD, GOOD, GRID, MUTED, TEXT, layout
from heliostat.metrics import Metric
from heliostat.ports import Surrogate
from heliostat.space import Parameter
from heliostat.trial import Run

KEY, TITLE = "contour", "Contour"
SIDE = 31
"""Points along each parameter."""


def contour(
    spec: ExperimentSpec, runs: Sequence[Run], surrogate: Surrogate | None, found: Sequence[Sensitivity]
) -> Card:
    """The first steering metric over the two parameters that its model varies with most."""
    if surrogate is None or not found:
        return Card(KEY, TITLE, absent=NO_MODEL)
    metric, base = spec.metrics[found[0].metric], base_point(spec, runs)
    names = [name for name in ranked_parameters(found[:1]) if name in base.values][:2]
    if len(names) < 2:
        absent = (
            f"The model of {metric.name} varies with {len(names)} parameters. It appears with two or more."
        )
        return Card(KEY, TITLE, claim=metric.name, absent=absent.replace("1 parameters", "1 parameter"))
    axes = [spec.space.by_name[name] for name in names]
    surfaces = _surfaces(surrogate, axes, base)
    limits = [limit for limit in spec.metrics.guardrails if _crosses(limit, surfaces[limit.name])]
    return Card(
        KEY,
        TITLE,
        claim=f"{metric.name} expected around {base.name}",
        how_to_read=_reading(metric, limits),
        figure=compact(_figure(spec, runs, metric, axes, surfaces, limits)),
        notes=("Small marks are runs, which differ in other parameters too; amber ones are the best.",),
    )


def _reading(metric: Metric, limits: Sequence[Metric]) -> str:
    text = f"Darker teal is {'more' if metric.sign > 0 else 'less'} {metric.name}, which is better"
    edges = " and ".join(limit_text(limit) for limit in limits)
    return (
        f"{text}; the dashed line is where the model expects the edge of {edges}." if limits else f"{text}."
    )


def _surfaces(surrogate: Surrogate, axes: Sequence[Parameter], base: Base) -> dict[str, NDArray[np.float64]]:
    """Means of each metric, rows by the second parameter."""
    across, up = (along(item, SIDE) for item in axes)
    grid = [{**base.values, axes[0].name: x, axes[1].name: y} for y in up for x in across]
    return {name: item.mean.reshape(len(up), len(across)) for name, item in surrogate.at(grid).items()}


def _crosses(limit: Metric, surface: NDArray[np.float64]) -> bool:
    return limit.threshold is not None and bool(surface.min() < limit.threshold < surface.max())


def _figure(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    metric: Metric,
    axes: Sequence[Parameter],
    surfaces: dict[str, NDArray[np.float64]],
    limits: Sequence[Metric],
) -> dict[str, Any]:
    x, y = ([place_of(item, value) for value in along(item, SIDE)] for item in axes)
    traces = [_surface(metric, surfaces[metric.name], x, y)]
    traces += [_edge(limit, surfaces[limit.name], x, y) for limit in limits]
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)[-LARGEST:]
    best = {run.number for run in leaders(spec, counted)}
    given = [[place_of(item, run.assignments.get(item.name)) for run in counted] for item in axes]
    rows = list(zip(counted, *given, strict=True))
    for name, marker, is_best in (
        ("runs", {"symbol": "circle", "size": 4, "color": TEXT, "opacity": 0.55}, False),
        ("best", {**LEADER, "size": 9}, True),
    ):
        group = [row for row in rows if (row[0].number in best) == is_best]
        if group:
            drawn = list(zip(*group, strict=True))
            traces.append(points(*drawn, name=name, marker=marker))
    scales = [parameter_scale(item, places) for item, places in zip(axes, given, strict=True)]
    frame = layout(*(parameter_axis(item, shown) for item, shown in zip(axes, scales, strict=True)))
    return {"data": [*traces, selected()], "layout": {**frame, "showlegend": False}}


def _surface(
    metric: Metric, surface: NDArray[np.float64], x: Sequence[float], y: Sequence[float]
) -> dict[str, Any]:
    colors = [[0, GRID], [1, GOOD]] if metric.sign > 0 else [[0, GOOD], [1, GRID]]
    bar = {"thickness": 8, "outlinewidth": 0, "tickfont": {"color": MUTED, "size": 10}, "nticks": 5}
    return {
        "type": "contour",
        "x": list(x),
        "y": list(y),
        "z": surface.tolist(),
        "colorscale": colors,
        "ncontours": 12,
        "line": {"width": 0},
        "opacity": 0.85,
        "colorbar": {
            **bar,
            "title": {"text": label(metric.name, longest=18), "font": {"color": MUTED, "size": 11}},
        },
        "hovertemplate": f"{label(metric.name, longest=30)} %{{z:.4g}}<extra></extra>",
    }


def _edge(
    limit: Metric, surface: NDArray[np.float64], x: Sequence[float], y: Sequence[float]
) -> dict[str, Any]:
    """One line, at the threshold."""
    at = {"start": limit.threshold, "end": limit.threshold, "size": 1, "coloring": "none"}
    name = f"{label(limit.name, longest=30)} {short(limit.threshold)}"
    line = {"color": BAD, "width": 2, "dash": "dash"}
    style = {"line": line, "showscale": False, "hoverinfo": "skip"}
    z = surface.tolist()
    return {"type": "contour", "name": name, "x": list(x), "y": list(y), "z": z, "contours": at, **style}
