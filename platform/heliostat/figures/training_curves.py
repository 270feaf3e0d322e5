"""Training curves of the latest runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Curve, curve_metric, curves
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.marks import selected
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs, short
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import ACCENT, QUIET, axis, layout
from heliostat.trial import Run

KEY, TITLE = "training-curves", "Training curves"
LATEST = 60
"""Most curves drawn beside the best: more hide each other."""


def training_curves(spec: ExperimentSpec, runs: Sequence[Run], *, metric: str | None = None) -> Card:
    """The curves of one metric: grey, the best in accent, a dot where a scheduler ended a run.

    Args:
        spec: The experiment.
        runs: Its runs, read with their curves.
        metric: Which metric; by default the first declared one that has curves.
    """
    name = metric or curve_metric(spec, runs)
    found = curves(spec, runs, name) if name is not None else []
    if name is None or not found:
        absent = (
            "No run has reported a metric at two steps. They appear once runs report at every epoch or step."
        )
        return Card(KEY, TITLE, absent=absent)
    drawn = _drawn(found)
    values = [value for curve in drawn for value in curve.values]
    best = [value for curve in drawn if curve.is_best for value in curve.values]
    shown = scale(values, keep=best)
    stopped = [curve for curve in drawn if curve.is_stopped]
    figure = {
        "data": _traces(drawn, stopped),
        "layout": layout(axis("step"), axis(label(name, longest=AXIS_LENGTH), **shown.axis)),
    }
    limits = (
        f"last {len(drawn)} of {len(found)} runs" if len(drawn) < len(found) else number_of_runs(len(found))
    )
    reading = "Each line is a run, the best in amber; a dot marks where a scheduler stopped one early."
    notes = (outside_note(shown.outside),) if shown.outside else ()
    return Card(
        KEY, TITLE, claim=f"{name}, {limits}", how_to_read=reading, figure=compact(figure), notes=notes
    )


def _drawn(found: Sequence[Curve]) -> list[Curve]:
    latest = {curve.number for curve in found[-LATEST:]}
    return [curve for curve in found if curve.number in latest or curve.is_best]


def _traces(drawn: Sequence[Curve], stopped: Sequence[Curve]) -> list[dict[str, Any]]:
    others = [curve for curve in drawn if not curve.is_best]
    best = [curve for curve in drawn if curve.is_best]
    traces = []
    if others:
        traces.append(_lines(others, "runs", {"color": QUIET, "width": 1}, 0.45))
    if best:
        traces.append(
            _lines(
                best,
                "best",
                {"color": ACCENT, "width": 2 if len(best) == 1 else 1.3},
                1.0 if len(best) == 1 else 0.8,
            )
        )
    if stopped:
        marker = {"size": 5, "color": QUIET}
        traces.append({**_ends(stopped), "name": "stopped early", "mode": "markers", "marker": marker})
    return [*traces, {**selected(), "mode": "lines"}]


def _lines(group: Sequence[Curve], name: str, line: dict[str, Any], opacity: float) -> dict[str, Any]:
    """Many curves in one trace, with a gap between two: hundreds of traces would be slow."""
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": name, "line": line}
    trace.update(opacity=opacity, hoverinfo="text", connectgaps=False)
    trace.update({key: [] for key in ("x", "y", "customdata", "hovertext")})
    for curve in group:
        trace["x"] += [*curve.steps, None]
        trace["y"] += [*curve.values, None]
        trace["customdata"] += [curve.number] * (len(curve.steps) + 1)
        trace["hovertext"] += [_hover(curve, place) for place in range(len(curve.steps))] + [""]
    return trace


def _ends(group: Sequence[Curve]) -> dict[str, Any]:
    places = [max(i for i, value in enumerate(curve.values) if math.isfinite(value)) for curve in group]
    ends = list(zip(group, places, strict=True))
    return {
        "type": "scatter",
        "x": [curve.steps[place] for curve, place in ends],
        "y": [curve.values[place] for curve, place in ends],
        "customdata": [curve.number for curve in group],
        "hovertext": [_hover(curve, place) for curve, place in ends],
        "hoverinfo": "text",
    }


def _hover(curve: Curve, place: int) -> str:
    return f"<b>run {curve.number}</b><br>step {curve.steps[place]}: {short(curve.values[place])}"
