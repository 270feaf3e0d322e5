"""How often a metric took which value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat.analysis import Standing
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import limit_on
from heliostat.figures.marks import value_of
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs, short
from heliostat.figures.scale import Scale, outside_note, scale
from heliostat.figures.theme import ACCENT, BAD, GOOD, axis, layout
from heliostat.metrics import Metric
from heliostat.trial import Run

KEY, TITLE = "histogram", "Distribution"
FEWEST_BINS, MOST_BINS = 5, 40


def histogram(
    spec: ExperimentSpec, runs: Sequence[Run], metric: str | None = None, *, number: int | None = None
) -> Card:
    """Completed runs by their value of one metric, feasible ones at the bottom.

    Args:
        spec: The experiment.
        runs: Its runs.
        metric: Which; by default the first that steers.
        number: A run to point out among the others.

    Raises:
        InvalidValue: The experiment has no such metric.
    """
    shown = spec.metrics[metric] if metric else spec.metrics.steering[0]
    groups = {
        standing: [
            value
            for run in in_standing(spec, runs, standing)
            if math.isfinite(value := value_of(run, shown.name))
        ]
        for standing in (Standing.FEASIBLE, Standing.INFEASIBLE)
    }
    values = [value for group in groups.values() for value in group]
    if not values:
        absent = f"No completed run has a finite {shown.name} yet. It appears with the first that does."
        return Card(KEY, TITLE, claim=shown.name, absent=absent)
    pointed = [value_of(run, shown.name) for run in runs if run.number == number]
    pointed = [value for value in pointed if math.isfinite(value)]
    fitted = _scale(shown, values, pointed)
    return Card(
        KEY,
        TITLE,
        claim=f"{shown.name}, {number_of_runs(len(values))}, {_middle(values)}",
        how_to_read=_reading(bool(pointed)),
        figure=compact(_figure(shown, groups, fitted, pointed, number)),
        notes=(outside_note(fitted.outside, "value"),) if fitted.outside else (),
    )


def _reading(is_pointed: bool) -> str:
    reading = (
        "A higher step means more runs ended with such a value; a long tail on the good side is worth a look."
    )
    return f"{reading[:-1]}; the amber line is this run." if is_pointed else reading


def _middle(values: Sequence[float]) -> str:
    return f"median {short(float(np.median(np.array(values, dtype=float))))}"


def _scale(metric: Metric, values: Sequence[float], pointed: Sequence[float]) -> Scale:
    limits = [] if metric.threshold is None else [metric.threshold]
    return scale(values, keep=[*limits, *pointed])


def _figure(
    metric: Metric,
    groups: dict[Standing, list[float]],
    shown: Scale,
    pointed: Sequence[float],
    number: int | None,
) -> dict[str, Any]:
    edges = _edges(shown, sum(len(group) for group in groups.values()))
    counted = {standing: np.histogram(group, edges)[0] for standing, group in groups.items()}
    feasible, infeasible = counted[Standing.FEASIBLE], counted[Standing.INFEASIBLE]
    traces = []
    if feasible.any():
        traces.append(_steps(edges, feasible, "feasible", GOOD))
    if infeasible.any():
        whole = _steps(edges, feasible + infeasible, "over guardrail", BAD)
        traces.append({**whole, "fill": "tonexty" if traces else "tozeroy"})
    shapes, annotations = limit_on("x", metric, shown)
    for value in pointed:
        shapes.append(_line(value))
        annotations.append(_name(value, shown, number))
    top = max(int((feasible + infeasible).max()), 1)
    x = axis(label(metric.name, longest=AXIS_LENGTH), **shown.axis)
    y = axis("runs", range=[0, 1.1 * top], **({"dtick": 1} if top < 6 else {}))
    return {"data": traces, "layout": layout(x, y, shapes=shapes, annotations=annotations)}


def _edges(shown: Scale, count: int) -> NDArray[np.float64]:
    bins = int(min(max(math.ceil(2 * math.sqrt(count)), FEWEST_BINS), MOST_BINS))
    low, high = shown.axis["range"]
    places = np.linspace(low, high, bins + 1)
    return np.asarray(10.0**places if shown.is_log else places)


def _steps(edges: NDArray[np.float64], counts: NDArray[np.intp], name: str, color: str) -> dict[str, Any]:
    """Bars as one outline: unlike plotly's bars it keeps its shape on a log axis."""
    x = np.repeat(edges, 2)
    y = np.concatenate([[0], np.repeat(counts, 2), [0]])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x.tolist(),
        "y": y.tolist(),
        "line": {"color": color, "width": 1},
        "fill": "tozeroy",
        "hoverinfo": "skip",
    }


def _line(value: float) -> dict[str, Any]:
    line = {"color": ACCENT, "width": 2}
    return {"type": "line", "x0": value, "x1": value, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _name(value: float, shown: Scale, number: int | None) -> dict[str, Any]:
    place = math.log10(value) if shown.is_log else value
    font = {"color": ACCENT, "size": 11}
    text = f"run {number}: {short(value)}"
    return {
        "x": place,
        "y": 0.9,
        "yref": "paper",
        "text": text,
        "font": font,
        "showarrow": False,
        "xanchor": "left",
    }
