"""Training curves of the latest runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heliostat import schema
from heliostat.analysis import Curve, curve_metric, curves
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.marks import selected
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs, short
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import ACCENT, QUIET, axis, layout
from heliostat.trial import Run

KEY, TITLE = "training-curves", "Training curves"
ACROSS = {
    "step": "step",
    "relative": "seconds since the run's start",
    "wall": "seconds since the first start",
}
"""Titles of the axis by what it shows."""

LATEST = 60
"""Most curves drawn beside the best: more hide each other."""


@dataclass(frozen=True)
class _Line:
    """A curve as it is drawn: where its points lie across, and its values, perhaps smoothed."""

    curve: Curve
    places: Sequence[float]
    values: tuple[float, ...]


def training_curves(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    metric: str | None = None,
    by: str = "step",
    smoothing: float = 0.0,
    key: str = KEY,
) -> Card:
    """The curves of one metric: grey, the best in accent, a dot where a scheduler ended a run.

    Args:
        spec: The experiment.
        runs: Its runs, read with their curves.
        metric: Which metric; by default the first declared one that has curves.
        by: ``step``, ``relative`` (seconds since the run's start) or ``wall`` (since the first run's).
        smoothing: Weight of the past in an exponential mean, in [0, 1); 0 draws what was reported.
        key: Of the card.

    Raises:
        InvalidValue: `by` is none of these, or `smoothing` out of range.
    """
    schema.choice(by, "by", tuple(ACROSS))
    if not 0 <= smoothing < 1:
        raise InvalidValue("smoothing", "must be in [0, 1)", given=smoothing, remedy="Use 0.6.")
    name = metric or curve_metric(spec, runs)
    found = curves(spec, runs, name) if name is not None else []
    if name is None or not found:
        absent = (
            "No run has reported a metric at two steps. They appear once runs report at every epoch or step."
        )
        return Card(key, TITLE, absent=absent)
    if by != "step":
        found = [curve for curve in found if _is_timed(curve)]
        if not found:
            absent = "No run has said when it reported. It appears with runs that report as they train."
            return Card(key, TITLE, claim=f"{name} by time", absent=absent)
    first = min((curve.start for curve in found if math.isfinite(curve.start)), default=0.0)
    drawn = [_shown(curve, by, first, smoothing) for curve in _drawn(found)]
    values = [value for line in drawn for value in line.values]
    best = [value for line in drawn if line.curve.is_best for value in line.values]
    shown = scale(values, keep=best)
    stopped = [line for line in drawn if line.curve.is_stopped]
    figure = {
        "data": _traces(drawn, stopped),
        "layout": layout(axis(ACROSS[by]), axis(label(name, longest=AXIS_LENGTH), **shown.axis)),
    }
    limits = (
        f"last {len(drawn)} of {len(found)} runs" if len(drawn) < len(found) else number_of_runs(len(found))
    )
    reading = "Each line is a run, the best in amber; a dot marks where a scheduler stopped one early."
    notes = (outside_note(shown.outside),) if shown.outside else ()
    return Card(
        key, TITLE, claim=f"{name}, {limits}", how_to_read=reading, figure=compact(figure), notes=notes
    )


def _is_timed(curve: Curve) -> bool:
    return math.isfinite(curve.start) and all(time >= curve.start for time in curve.times)


def _shown(curve: Curve, by: str, first: float, smoothing: float) -> _Line:
    """The curve over what is asked for, smoothed."""
    origin = {"step": 0.0, "relative": curve.start, "wall": first}[by]
    places = curve.steps if by == "step" else tuple(time - origin for time in curve.times)
    return _Line(curve, places, _smoothed(curve.values, smoothing))


def _smoothed(values: Sequence[float], weight: float) -> tuple[float, ...]:
    """Exponential mean without the bias of its start (Kingma and Ba 2015, §3); gaps stay gaps."""
    mean = total = 0.0
    shown = []
    for value in values:
        if math.isfinite(value):
            mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        shown.append(mean / total if math.isfinite(value) else value)
    return tuple(shown)


def _drawn(found: Sequence[Curve]) -> list[Curve]:
    latest = {curve.number for curve in found[-LATEST:]}
    return [curve for curve in found if curve.number in latest or curve.is_best]


def _traces(drawn: Sequence[_Line], stopped: Sequence[_Line]) -> list[dict[str, Any]]:
    others = [item for item in drawn if not item.curve.is_best]
    best = [item for item in drawn if item.curve.is_best]
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


def _lines(group: Sequence[_Line], name: str, line: dict[str, Any], opacity: float) -> dict[str, Any]:
    """Many curves in one trace, with a gap between two: hundreds of traces would be slow."""
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": name, "line": line}
    trace.update(opacity=opacity, hoverinfo="text", connectgaps=False)
    trace.update({key: [] for key in ("x", "y", "customdata", "hovertext")})
    for item in group:
        trace["x"] += [*item.places, None]
        trace["y"] += [*item.values, None]
        trace["customdata"] += [item.curve.number] * (len(item.places) + 1)
        trace["hovertext"] += [_hover(item.curve, place) for place in range(len(item.places))] + [""]
    return trace


def _ends(group: Sequence[_Line]) -> dict[str, Any]:
    lasts = [max(i for i, value in enumerate(item.values) if math.isfinite(value)) for item in group]
    ends = list(zip(group, lasts, strict=True))
    return {
        "type": "scatter",
        "x": [item.places[last] for item, last in ends],
        "y": [item.values[last] for item, last in ends],
        "customdata": [item.curve.number for item in group],
        "hovertext": [_hover(item.curve, last) for item, last in ends],
        "hoverinfo": "text",
    }


def _hover(curve: Curve, place: int) -> str:
    return f"<b>run {curve.number}</b><br>step {curve.steps[place]}: {short(curve.values[place])}"
