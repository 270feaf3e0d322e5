"""What the model expects along single parameters, with its doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from heliostat.analysis import Sensitivity, Standing, ranked_parameters
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import limit_on, limit_text
from heliostat.figures.marks import points, value_of
from heliostat.figures.model_base import Base, along, base_point
from heliostat.figures.numbers import compact, label
from heliostat.figures.parameter_axes import parameter_axis, parameter_scale, place_of
from heliostat.figures.scale import Scale, scale
from heliostat.figures.sensitivity import NO_MODEL
from heliostat.figures.theme import ACCENT, GOOD, QUIET, axis, layout
from heliostat.metrics import Metric
from heliostat.ports import Expected, Surrogate
from heliostat.space import Categorical, Parameter, Value
from heliostat.trial import Run

KEY, TITLE = "slices", "Slices"
MOST = 3
"""Panels of one card."""

MOST_METRICS = 3
"""Cards of one page."""

POINTS = 41
DEVIATIONS = 2.0
"""Half of the band, in standard deviations: about 95 %."""


@dataclass(frozen=True, eq=False)
class _Panel:
    """What is expected along one parameter."""

    item: Parameter
    values: list[Value]
    expected: Expected

    @property
    def places(self) -> list[float]:
        return [place_of(self.item, value) for value in self.values]

    @property
    def band(self) -> tuple[list[float], list[float]]:
        """Lower and upper end of the interval."""
        reach = DEVIATIONS * self.expected.stddev
        return (self.expected.mean - reach).tolist(), (self.expected.mean + reach).tolist()


def slices(
    spec: ExperimentSpec, runs: Sequence[Run], surrogate: Surrogate | None, found: Sequence[Sensitivity]
) -> tuple[Card, ...]:
    """One card per modelled metric, along the parameters that it varies with most.

    Args:
        spec: The experiment.
        runs: Its runs.
        surrogate: A model of them.
        found: The model's sensitivities.
    """
    if surrogate is None or not found:
        return (Card(KEY, TITLE, absent=NO_MODEL),)
    base = base_point(spec, runs)
    return tuple(
        _card(spec, runs, surrogate, item, base, f"{KEY}-{place + 1}" if place else KEY)
        for place, item in enumerate(found[:MOST_METRICS])
    )


def _card(
    spec: ExperimentSpec, runs: Sequence[Run], surrogate: Surrogate, found: Sensitivity, base: Base, key: str
) -> Card:
    metric = spec.metrics[found.metric]
    names = [name for name in ranked_parameters([found]) if name in base.values][:MOST]
    if not names:
        absent = f"The model of {metric.name} does not vary. It appears once its results differ."
        return Card(key, TITLE, claim=metric.name, absent=absent)
    panels = [_panel(surrogate, spec.space.by_name[name], metric, base) for name in names]
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    reading = (
        "The line is what the model expects where one parameter alone changes, the band its 95 % interval"
    )
    limit = "; the shaded side of the dashed line misses the limit" if metric.threshold is not None else ""
    return Card(
        key,
        TITLE,
        claim=f"{limit_text(metric)} around {base.name}",
        how_to_read=f"{reading}{limit}.",
        figure=compact(_figure(metric, panels, base, counted)),
        notes=("Grey marks are runs, which differ in other parameters too.",) if counted else (),
    )


def _panel(surrogate: Surrogate, item: Parameter, metric: Metric, base: Base) -> _Panel:
    values = along(item, POINTS)
    cut = [{**base.values, item.name: value} for value in values]
    return _Panel(item, values, surrogate.at(cut)[metric.name])


def _figure(metric: Metric, panels: Sequence[_Panel], base: Base, counted: Sequence[Run]) -> dict[str, Any]:
    shown = _scale(metric, panels, counted)
    frame = layout({}, axis(label(metric.name, longest=28), **shown.axis), showlegend=False)
    frame["shapes"], frame["annotations"] = limit_on("y", metric, shown)
    traces: list[dict[str, Any]] = []
    for place, panel in enumerate(panels):
        suffix = str(place + 1) if place else ""
        given = [place_of(panel.item, run.assignments.get(panel.item.name)) for run in counted]
        frame[f"xaxis{suffix}"] = _across(panel.item, given, place, len(panels))
        drawn = [_runs(counted, given, metric), *_expectation(panel)]
        traces += [{**trace, "xaxis": f"x{suffix}", "yaxis": "y"} for trace in drawn]
        frame["shapes"].append(_here(place_of(panel.item, base.values[panel.item.name]), suffix))
    return {"data": traces, "layout": frame}


def _scale(metric: Metric, panels: Sequence[_Panel], counted: Sequence[Run]) -> Scale:
    """All of the line, most of the band: where the model knows nothing its doubt would dwarf the rest."""
    keep = [float(value) for panel in panels for value in panel.expected.mean]
    if metric.threshold is not None:
        keep.append(metric.threshold)
    bands = [value for panel in panels for side in panel.band for value in side]
    shown = scale([*(value_of(run, metric.name) for run in counted), *keep], keep=keep)
    low, high = np.quantile(bands, [0.05, 0.95])
    if shown.is_log:
        return shown
    return Scale(min(shown.low, float(low)), max(shown.high, float(high)))


def _across(item: Parameter, given: Sequence[float], place: int, count: int) -> dict[str, Any]:
    width = 1 / count
    domain = [
        place * width + (0.02 if place else 0),
        (place + 1) * width - (0.02 if place + 1 < count else 0),
    ]
    fitted = parameter_scale(item, given)
    found = parameter_axis(item, fitted, domain=domain)
    if isinstance(item, Categorical) or "tickvals" not in found:
        return {**found, "nticks": 4, "tickangle": 0}
    stride = 1 + len(found["tickvals"]) // 4  # a third of a card has room for three or four
    sparse = {key: found[key][::stride] for key in ("tickvals", "ticktext")}
    return {**found, **sparse, "tickangle": 0}


def _runs(counted: Sequence[Run], given: Sequence[float], metric: Metric) -> dict[str, Any]:
    marker = {"symbol": "circle", "size": 4, "color": QUIET, "opacity": 0.55}
    return points(counted, given, [value_of(run, metric.name) for run in counted], name="runs", marker=marker)


def _expectation(panel: _Panel) -> list[dict[str, Any]]:
    mean = panel.expected.mean.tolist()
    low, high = panel.band
    if isinstance(panel.item, Categorical):
        bars = {"type": "data", "array": (DEVIATIONS * panel.expected.stddev).tolist(), "color": GOOD}
        marker = {"color": GOOD, "size": 8}
        common = {"type": "scatter", "mode": "markers", "hoverinfo": "y", "name": "expected"}
        return [{**common, "x": panel.places, "y": mean, "error_y": bars, "marker": marker}]
    band = {
        "type": "scatter",
        "mode": "lines",
        "name": "95 % interval",
        "x": [*panel.places, *reversed(panel.places)],
        "y": [*high, *reversed(low)],
        "fill": "toself",
        "fillcolor": GOOD,
        "opacity": 0.18,
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    line = {"color": GOOD, "width": 2}
    middle = {
        "type": "scatter",
        "mode": "lines",
        "name": "expected",
        "x": panel.places,
        "y": mean,
        "line": line,
    }
    return [band, {**middle, "hoverinfo": "x+y"}]


def _here(place: float, suffix: str) -> dict[str, Any]:
    """A line at the point that the other parameters are held at."""
    across = {"x0": place, "x1": place, "xref": f"x{suffix}", "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "line", **across, "line": {"color": ACCENT, "width": 1, "dash": "dot"}, "layer": "below"}
