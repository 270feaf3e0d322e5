"""Where in the parameter space runs fail or miss a guardrail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.analysis import Importance, Split, Standing, splits
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.importance import ranked
from heliostat.figures.marks import LARGEST, MARKERS, NAMES, points, selected
from heliostat.figures.numbers import compact
from heliostat.figures.parameter_axes import parameter_axis, parameter_scale, place_of
from heliostat.figures.theme import layout
from heliostat.space import Parameter
from heliostat.trial import Run

KEY, TITLE = "failure-map", "Where runs fail"
GOOD_ENDS = (Standing.FEASIBLE,)
BAD_ENDS = (Standing.FAILED, Standing.INCOMPLETE, Standing.INFEASIBLE)


def failure_map(spec: ExperimentSpec, runs: Sequence[Run], *, known: Sequence[Importance] = ()) -> Card:
    """The two parameters that tell failed and infeasible runs best from feasible ones.

    Args:
        spec: The experiment.
        runs: Its runs.
        known: Importances: of parameters that tell nothing the most important come first.
    """
    good = in_standing(spec, runs, *GOOD_ENDS)[-LARGEST:]
    bad = in_standing(spec, runs, *BAD_ENDS)[-LARGEST:]
    if not bad:
        ended = f"All {len(good)} completed runs are feasible" if good else "No run has ended yet"
        return Card(
            KEY, TITLE, absent=f"{ended}. It appears with the first that fails or misses a guardrail."
        )
    found = splits(spec.space, good, bad)
    telling = [split.parameter for split in found if split.gain]
    rest = [name for name in ranked(spec, known) if name not in telling]
    axes = [spec.space.by_name[name] for name in (*telling, *rest)[:2]]
    groups = {
        standing: in_standing(spec, runs, standing)[-LARGEST:]
        for standing in (*GOOD_ENDS, Standing.INFEASIBLE, Standing.FAILED)
    }
    groups[Standing.FAILED] += in_standing(spec, runs, Standing.INCOMPLETE)[-LARGEST:]
    missing = sum(any(math.isnan(_place(item, run)) for item in axes) for run in (*good, *bad))
    return Card(
        KEY,
        TITLE,
        claim=_claim(found[0], len(bad)),
        how_to_read=_reading(axes),
        figure=compact(_figure(axes, groups)),
        notes=(f"{missing} runs without these parameters are not drawn.",) if missing else (),
    )


def _reading(axes: Sequence[Parameter]) -> str:
    across = "these two parameters, which" if len(axes) > 1 else "this parameter, which"
    verb = "tell" if len(axes) > 1 else "tells"
    return (
        f"Each mark is a run at {across} {verb} bad ends best from good ones; avoid where red marks gather."
    )


def _claim(split: Split, bad: int) -> str:
    if not split.gain:
        return f"{bad} bad ends, in no particular region"
    return f"{split.inside} of {bad} bad ends have {split.text}, where {split.good_inside} good ones lie"


def _place(item: Parameter, run: Run) -> float:
    return place_of(item, run.assignments.get(item.name))


def _figure(axes: Sequence[Parameter], groups: dict[Standing, list[Run]]) -> dict[str, Any]:
    every = [run for group in groups.values() for run in group]
    scales = [parameter_scale(item, [_place(item, run) for run in every]) for item in axes]
    traces = []
    for standing, group in groups.items():
        if group:
            x, y = _positions(axes, group)
            traces.append(points(group, x, y, name=NAMES[standing], marker=_marker(standing)))
    x_axis = parameter_axis(axes[0], scales[0])
    y_axis = parameter_axis(axes[1], scales[1]) if len(axes) > 1 else {"visible": False, "range": [-1, 1]}
    return {"data": [*traces, selected()], "layout": layout(x_axis, y_axis)}


def _marker(standing: Standing) -> dict[str, Any]:
    marker = dict(MARKERS[standing])
    return {**marker, "symbol": "square"} if standing is Standing.FAILED else marker


def _positions(axes: Sequence[Parameter], group: Sequence[Run]) -> tuple[list[float], list[float]]:
    x = [_place(axes[0], run) for run in group]
    if len(axes) == 1:
        return x, [0.0] * len(group)
    return x, [_place(axes[1], run) for run in group]
