"""Multisolution: the good and different points, where they lie and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Standing, separation, solutions
from heliostat.analysis.feasibility import in_standing
from heliostat.analysis.importance import Importance
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.importance import ranked
from heliostat.figures.marks import LARGEST, LEADER, MARKERS, points, selected, value_of
from heliostat.figures.numbers import compact, short
from heliostat.figures.parameter_axes import parameter_axis, parameter_scale, place_of
from heliostat.figures.theme import TEXT, axis, layout
from heliostat.trial import Run

KEY, TITLE = "solutions", "Distinct optima"


def distinct_optima(spec: ExperimentSpec, runs: Sequence[Run], known: Sequence[Importance]) -> Card:
    """The declared number of solutions among all feasible runs, in the two most important parameters."""
    if spec.num_solutions == 1:
        absent = "One solution is asked for. It appears in experiments with num_solutions above 1."
        return Card(KEY, TITLE, absent=absent)
    found = solutions(spec, runs)
    if not found:
        return Card(
            KEY, TITLE, absent="No feasible run has completed yet. It appears with the first that does."
        )
    metric = spec.metrics.objectives[0].name
    values = ", ".join(short(value_of(run, metric)) for run in found)
    return Card(
        KEY,
        TITLE,
        claim=f"{len(found)} of {spec.num_solutions} solutions, {metric} {values}",
        how_to_read="Numbered marks are the best runs that lie apart; others are near them or worse.",
        figure=compact(_figure(spec, runs, found, known)),
        notes=(_rule(spec),),
    )


def _rule(spec: ExperimentSpec) -> str:
    apart = short(separation(spec.space.d))
    return f"Apart means a distance of at least {apart} in the unit cube of all {spec.space.d} parameters."


def _figure(
    spec: ExperimentSpec, runs: Sequence[Run], found: Sequence[Run], known: Sequence[Importance]
) -> dict[str, Any]:
    axes = [spec.space.by_name[name] for name in ranked(spec, known)[:2]]
    chosen = {run.number for run in found}
    feasible = in_standing(spec, runs, Standing.FEASIBLE)[-LARGEST:]
    others = [run for run in feasible if run.number not in chosen]
    drawn = [[place_of(item, run.assignments.get(item.name)) for run in feasible] for item in axes]
    traces = []
    for name, group, marker in (
        ("feasible", others, MARKERS[Standing.FEASIBLE]),
        ("solution", found, {**LEADER, "size": 13}),
    ):
        places = [[place_of(item, run.assignments.get(item.name)) for run in group] for item in axes]
        places += [[0.0] * len(group)] * (2 - len(axes))
        if group:
            traces.append(points(group, *places, name=name, marker=marker))
    numbered = {"mode": "markers+text", "text": [str(place) for place in range(1, len(found) + 1)]}
    traces[-1] |= {**numbered, "textposition": "top center", "textfont": {"color": TEXT, "size": 12}}
    x, *rest = (parameter_axis(item, parameter_scale(item, drawn[place])) for place, item in enumerate(axes))
    y = rest[0] if rest else axis("", visible=False, range=[-1, 1])
    return {"data": [*traces, selected()], "layout": layout(x, y)}
