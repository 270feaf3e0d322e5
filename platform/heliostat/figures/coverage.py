"""Active search: how many different satisfactory places have been found, and where they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from heliostat.analysis import Importance, Progress, Standing, new_places
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.importance import ranked
from heliostat.figures.marks import LEADER, MARKERS, points, selected
from heliostat.figures.numbers import compact
from heliostat.figures.parameter_axes import parameter_axis, parameter_scale, place_of
from heliostat.figures.theme import axis, layout
from heliostat.trial import Run

KEY, TITLE = "coverage", "Coverage"


def coverage(spec: ExperimentSpec, runs: Sequence[Run], known: Sequence[Importance]) -> Card:
    """Satisfactory runs in the two most important parameters, those at new places in accent."""
    if spec.metrics.objectives:
        absent = "A metric is optimized here. It appears in active search, where guardrails are all there is."
        return Card(KEY, TITLE, absent=absent)
    feasible = in_standing(spec, runs, Standing.FEASIBLE)
    if not feasible:
        return Card(KEY, TITLE, absent="No run keeps all limits yet. It appears with the first that does.")
    new = set(reached_places(spec, runs).improved)
    others = in_standing(spec, runs, Standing.INFEASIBLE)
    places = "place" if len(new) == 1 else "places"
    return Card(
        KEY,
        TITLE,
        claim=f"{len(new)} different {places} among {len(feasible)} satisfactory runs",
        how_to_read="Amber runs were the first near them to keep all limits; empty space is still unknown.",
        figure=compact(_figure(ranked(spec, known)[:2], spec, feasible, others, new)),
    )


def reached_places(spec: ExperimentSpec, runs: Sequence[Run]) -> Progress:
    """Number of places found so far that are far from all satisfactory ones before them, by run."""
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    feasible = in_standing(spec, runs, Standing.FEASIBLE)
    if not feasible:
        return Progress("coverage")
    units = np.array([spec.space.encode(_own(spec, run)) for run in feasible])
    new = tuple(feasible[row].number for row in new_places(units))
    numbers = tuple(run.number for run in counted)
    found = np.cumsum(np.isin(numbers, new), dtype=float)
    return Progress("coverage", numbers, tuple(found.tolist()), new)


def _own(spec: ExperimentSpec, run: Run) -> dict[str, Any]:
    """What the run was given and the space still knows."""
    given = ((name, value) for name, value in run.assignments.items() if name in spec.space.index)
    return {name: value for name, value in given if math.isfinite(place_of(spec.space.by_name[name], value))}


def _figure(
    names: Sequence[str],
    spec: ExperimentSpec,
    feasible: Sequence[Run],
    infeasible: Sequence[Run],
    new: set[int],
) -> dict[str, Any]:
    axes = [spec.space.by_name[name] for name in names]
    groups = (
        ("misses a limit", infeasible, MARKERS[Standing.INFEASIBLE]),
        ("keeps all limits", [run for run in feasible if run.number not in new], MARKERS[Standing.FEASIBLE]),
        ("a new place", [run for run in feasible if run.number in new], LEADER),
    )
    traces: list[dict[str, Any]] = []
    drawn: list[list[float]] = [[], []]
    for name, group, marker in groups:
        places = [[place_of(item, run.assignments.get(item.name)) for run in group] for item in axes]
        places += [[0.0] * len(group)] * (2 - len(axes))
        if group:
            traces.append(points(group, *places, name=name, marker=marker))
        drawn = [[*known, *more] for known, more in zip(drawn, places, strict=True)]
    x, *rest = (parameter_axis(item, parameter_scale(item, drawn[place])) for place, item in enumerate(axes))
    y = rest[0] if rest else axis("", visible=False, range=[-1, 1])
    return {"data": [*traces, selected()], "layout": layout(x, y)}
