"""Best value, or hypervolume, after each run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Progress, Standing, leaders, progress
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.marks import FEWEST_MARKS, LEADER, MARKERS, NAMES, points, selected, shares, value_of
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, short
from heliostat.figures.scale import Scale, outside_note, scale
from heliostat.figures.theme import ACCENT, axis, layout
from heliostat.trial import Run

KEY, TITLE = "best-so-far", "Best so far"
SINGLE = (Standing.EARLY_STOPPED, Standing.INFEASIBLE, Standing.FEASIBLE)


def best_so_far(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """The step line of the best feasible value (one objective) or of the hypervolume (several)."""
    reached = progress(spec, runs)
    absent = _absence(spec, runs, reached)
    if absent:
        return Card(KEY, TITLE, absent=absent)
    is_single = len(spec.metrics.objectives) == 1
    draw = _single if is_single else _several
    figure, outside = draw(spec, runs, reached)
    notes = [outside_note(outside)] if outside else []
    failed = sum(run.state.value == "failed" for run in runs)
    if failed:
        shown = f", {FEWEST_MARKS} of {failed}" if failed > FEWEST_MARKS else ""
        notes.append(f"Ticks at the bottom are failed runs{shown}.")
    return Card(
        KEY,
        TITLE,
        claim=_claim(spec, runs, reached),
        how_to_read=_reading(spec, is_single),
        figure=compact(figure),
        notes=tuple(notes),
    )


def _absence(spec: ExperimentSpec, runs: Sequence[Run], reached: Progress) -> str:
    if not spec.metrics.objectives:
        return "No metric is optimized here. It appears in experiments that maximize or minimize a metric."
    if not reached.numbers:
        names = ", ".join(metric.name for metric in spec.metrics.steering)
        tried = f"None of {len(runs)} runs" if runs else "No run"
        return (
            f"{tried} has completed with finite values yet. It appears with the first that reports {names}."
        )
    return ""


def _claim(spec: ExperimentSpec, runs: Sequence[Run], reached: Progress) -> str:
    if not reached.improved:
        return "no feasible run yet"
    if len(spec.metrics.objectives) == 1:
        return f"{reached.measure} {short(reached.values[-1])}, reached by run {reached.improved[-1]}"
    return f"hypervolume, last grown by run {reached.improved[-1]}"


def _reading(spec: ExperimentSpec, is_single: bool) -> str:
    limits = " within the guardrails" if spec.metrics.guardrails else ""
    if is_single:
        return f"The line holds the best value{limits} until a run beats it; a long flat end is stagnation."
    return (
        f"The line is the share of the box between the reference point and the best values that runs{limits} "
        "dominate; a long flat end is stagnation."
    )


def _single(spec: ExperimentSpec, runs: Sequence[Run], reached: Progress) -> tuple[dict[str, Any], int]:
    metric = spec.metrics.objectives[0].name
    groups = {standing: in_standing(spec, runs, standing) for standing in SINGLE}
    counted = [*groups[Standing.FEASIBLE], *groups[Standing.INFEASIBLE]]
    best = leaders(spec, runs)
    shown = scale([value_of(run, metric) for run in counted], keep=[value_of(run, metric) for run in best])
    counts = shares(len(group) for group in groups.values())
    traces = []
    for (standing, group), most in zip(groups.items(), counts, strict=True):
        values = [value_of(run, metric) for run in group]
        numbers = [run.number for run in group]
        if group:
            traces.append(
                points(group, numbers, values, name=NAMES[standing], marker=MARKERS[standing], most=most)
            )
    traces.append(_line(reached, _last(runs)))
    return _figure(spec, runs, traces, axis(label(metric, longest=AXIS_LENGTH), **shown.axis)), _outside(
        groups, metric, shown
    )


def _several(spec: ExperimentSpec, runs: Sequence[Run], reached: Progress) -> tuple[dict[str, Any], int]:
    level = dict(zip(reached.numbers, reached.values, strict=True))
    moved = [run for run in sorted(runs, key=lambda run: run.number) if run.number in set(reached.improved)]
    marker = {**LEADER, "size": 7}
    heights = [level[run.number] for run in moved]
    dots = points(moved, [run.number for run in moved], heights, name="grew the front", marker=marker)
    top = max([value for value in reached.values if math.isfinite(value)], default=1.0)
    y = axis("hypervolume, share of box", range=[0, 1.06 * top if top > 0 else 1.0], rangemode="tozero")
    return _figure(spec, runs, [_line(reached, _last(runs)), dots], y), 0


def _figure(
    spec: ExperimentSpec, runs: Sequence[Run], traces: list[dict[str, Any]], y: dict[str, Any]
) -> dict[str, Any]:
    failed = in_standing(spec, runs, Standing.FAILED)
    if failed:
        marks = points(
            failed,
            [run.number for run in failed],
            [0.015] * len(failed),
            name="failed",
            marker=MARKERS[Standing.FAILED],
            most=FEWEST_MARKS,
        )
        traces = [*traces, {**marks, "yaxis": "y2", "showlegend": False}]
    first, last = min(run.number for run in runs), _last(runs)
    room = max(0.5, 0.02 * (last - first))
    steps = {"dtick": 1} if last - first < 8 else {}  # no ticks between whole runs
    x = axis("run", range=[first - room, last + room], tickformat="d", **steps)
    # A second axis pins the ticks of failed runs to the bottom: they have no value to be drawn at.
    lane = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    return {"data": [*traces, selected()], "layout": layout(x, y, yaxis2=lane)}


def _line(reached: Progress, last: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far" if reached.measure != "hypervolume" else "hypervolume so far",
        "x": [*reached.numbers, last],
        "y": [*reached.values, reached.values[-1]],
        "line": {"shape": "hv", "color": ACCENT, "width": 2},
        "hoverinfo": "skip",
    }


def _last(runs: Sequence[Run]) -> int:
    return max(run.number for run in runs)


def _outside(groups: dict[Standing, list[Run]], metric: str, shown: Scale) -> int:
    values = [value_of(run, metric) for group in groups.values() for run in group]
    return sum(math.isfinite(value) and not shown.low <= value <= shown.high for value in values)
