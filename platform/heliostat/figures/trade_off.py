"""Two metrics against each other, with their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from heliostat.analysis import Standing, leaders, non_dominated
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.limits import limit_marks, limit_text
from heliostat.figures.marks import LEADER, MARKERS, NAMES, points, selected, shares, value_of
from heliostat.figures.numbers import AXIS_LENGTH, compact, label
from heliostat.figures.scale import Scale, outside_note, scale
from heliostat.figures.theme import ACCENT, MARGIN, axis, layout
from heliostat.metrics import Metric
from heliostat.trial import Run

TITLE = "Trade-off"
MOST = 4
"""Most trade-off cards of one page."""


def trade_offs(spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[Card, ...]:
    """One card per pair worth seeing: objectives with each other, the first objective with each limit."""
    pairs = _pairs(spec)
    if not pairs:
        name = spec.metrics.steering[0].name
        absent = (
            f"{name} is the only metric. It appears with a second metric: guardrail(…), store(…) or another."
        )
        return (Card("trade-off", TITLE, absent=absent),)
    return tuple(
        trade_off(spec, runs, x.name, y.name, key=f"trade-off-{place + 1}" if place else "trade-off")
        for place, (x, y) in enumerate(pairs[:MOST])
    )


def trade_off(spec: ExperimentSpec, runs: Sequence[Run], x: str, y: str, *, key: str = "trade-off") -> Card:
    """Metric `y` over metric `x` of all counted runs, with the limits of both and the front.

    Raises:
        InvalidValue: The experiment has no such metric.
    """
    across, up = spec.metrics[x], spec.metrics[y]
    claim = f"{y} against {x}"
    groups = {
        standing: [
            run
            for run in in_standing(spec, runs, standing)
            if math.isfinite(value_of(run, x)) and math.isfinite(value_of(run, y))
        ]
        for standing in (Standing.INFEASIBLE, Standing.FEASIBLE)
    }
    if not any(groups.values()):
        absent = f"No completed run has both {y} and {x} yet. It appears with the first that reports both."
        return Card(key, TITLE, claim=claim, absent=absent)
    scales = tuple(_scale(spec, groups, metric) for metric in (across, up))
    figure = _figure(spec, groups, (across, up), scales)
    return Card(
        key,
        TITLE,
        claim=claim,
        how_to_read=_reading(across, up),
        figure=compact(figure),
        notes=_notes(spec, (across, up), scales, bool(groups[Standing.INFEASIBLE])),
    )


def _pairs(spec: ExperimentSpec) -> list[tuple[Metric, Metric]]:
    """Pairs ``(x, y)``; the first objective is up wherever it takes part."""
    metrics = spec.metrics
    pairs = [(second, first) for first, second in combinations(metrics.objectives, 2)]
    if metrics.objectives:
        pairs += [(guard, metrics.objectives[0]) for guard in metrics.guardrails]
        return pairs or [(stored, metrics.objectives[0]) for stored in metrics.stored]
    return [(second, first) for first, second in combinations(metrics.guardrails, 2)]


def _figure(
    spec: ExperimentSpec,
    groups: dict[Standing, list[Run]],
    axes: tuple[Metric, Metric],
    scales: tuple[Scale, ...],
) -> dict[str, Any]:
    x, y = axes
    counts = shares(len(group) for group in groups.values())
    traces = [
        _marks(group, x, y, standing, most)
        for (standing, group), most in zip(groups.items(), counts, strict=True)
        if group
    ]
    feasible = groups[Standing.FEASIBLE]
    front = _front(feasible, x, y) if _has_front(x, y) else []
    if len(front) > 1:
        traces.append(_staircase(front, x, y))
    chosen = {run.number for run in leaders(spec, feasible)}
    best = [run for run in feasible if run.number in chosen]
    if best:
        name = "Pareto front" if len(spec.metrics.objectives) > 1 else "best"
        places = [[value_of(run, metric.name) for run in best] for metric in axes]
        traces.append(points(best, *places, name=name, marker=LEADER))
    shapes, annotations = limit_marks(axes, scales)
    x_axis, y_axis = (
        axis(label(metric.name, longest=AXIS_LENGTH), **shown.axis)
        for metric, shown in zip(axes, scales, strict=True)
    )
    margin = {**MARGIN, "t": MARGIN["t"] + 18 * bool(annotations)}
    frame = layout(x_axis, y_axis, shapes=shapes, annotations=annotations, margin=margin)
    frame["legend"]["y"] = 1.08 if annotations else 1.02
    return {"data": [*traces, selected()], "layout": frame}


def _marks(group: Sequence[Run], x: Metric, y: Metric, standing: Standing, most: int) -> dict[str, Any]:
    places = [[value_of(run, metric.name) for run in group] for metric in (x, y)]
    return points(group, *places, name=NAMES[standing], marker=MARKERS[standing], most=most)


def _has_front(x: Metric, y: Metric) -> bool:
    """Whether both metrics steer, so that better is defined in both directions."""
    return "store" not in (x.strategy, y.strategy)


def _front(feasible: Sequence[Run], x: Metric, y: Metric) -> list[Run]:
    """Feasible runs inside the thresholds that none beats in both metrics, from left to right."""
    inside = [run for run in feasible if x.is_met(value_of(run, x.name)) and y.is_met(value_of(run, y.name))]
    if not inside:
        return []
    rows = [[metric.sign * value_of(run, metric.name) for metric in (x, y)] for run in inside]
    mask = non_dominated(np.array(rows, dtype=float))
    kept = [run for run, is_kept in zip(inside, mask, strict=True) if is_kept]
    return sorted(kept, key=lambda run: (value_of(run, x.name), y.sign * value_of(run, y.name)))


def _staircase(front: Sequence[Run], x: Metric, y: Metric) -> dict[str, Any]:
    # Between two points the corner lies on the dominated side: a line through the air would promise too much.
    shape = "vh" if x.sign > 0 else "hv"
    is_pair = x.strategy == y.strategy == "optimize"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front" if is_pair else "best at each limit",
        "showlegend": not is_pair,
        "x": [value_of(run, x.name) for run in front],
        "y": [value_of(run, y.name) for run in front],
        "line": {"shape": shape, "color": ACCENT, "width": 1.6},
        "hoverinfo": "skip",
    }


def _scale(spec: ExperimentSpec, groups: dict[Standing, list[Run]], metric: Metric) -> Scale:
    every = [run for group in groups.values() for run in group]
    keep = [value_of(run, metric.name) for run in leaders(spec, groups[Standing.FEASIBLE])]
    if metric.threshold is not None:
        keep.append(metric.threshold)
    return scale([value_of(run, metric.name) for run in every], keep=keep)


def _reading(x: Metric, y: Metric) -> str:
    sides = [f"{'right' if x.sign > 0 else 'left'} is better"] if x.strategy == "optimize" else []
    sides += [f"{'up' if y.sign > 0 else 'down'} is better"] if y.strategy == "optimize" else []
    limits = [metric for metric in (x, y) if metric.threshold is not None]
    shaded = "the shaded side of a dashed line misses that limit" if limits else ""
    text = "; ".join([part for part in (" and ".join(sides), shaded) if part]) or "each mark is a run"
    return f"{text[0].upper()}{text[1:]}."


def _notes(
    spec: ExperimentSpec, axes: Sequence[Metric], scales: Sequence[Scale], has_crosses: bool
) -> tuple[str, ...]:
    hidden = [limit_text(metric) for metric in spec.metrics.guardrails if metric not in axes]
    verb = "may also" if any(metric in spec.metrics.guardrails for metric in axes) else ""
    text = f"Crosses {verb} miss {' or '.join(hidden)}, which is not an axis here.".replace("  ", " ")
    notes = [text] if hidden and has_crosses else []
    outside = sum(shown.outside for shown in scales)
    return (*notes, *([outside_note(outside, "value")] if outside else []))
