"""Transfer: this experiment's best so far beside that of the experiments it learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from heliostat.analysis.progress import progress
from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.numbers import AXIS_LENGTH, compact, label, number_of_runs, short
from heliostat.figures.scale import outside_note, scale
from heliostat.figures.theme import ACCENT, QUIET, axis, layout
from heliostat.trial import Run

KEY, TITLE = "transfer", "Transfer benefit"
MOST = 8
"""Most sources drawn, in declared order."""

DASHES = ("solid", "dash", "dot", "dashdot")


def transfer_benefit(spec: ExperimentSpec, runs: Sequence[Run], sources: Sequence[Run]) -> Card:
    """Best value by number of completed runs, here and in each source.

    Args:
        spec: The experiment.
        runs: Its runs.
        sources: Runs of other experiments that it started from.
    """
    if not spec.transfer:
        return Card(
            KEY,
            TITLE,
            absent="It starts from nothing. It appears in experiments that declare transfer sources.",
        )
    if len(spec.metrics.objectives) != 1:
        return Card(
            KEY,
            TITLE,
            absent="Best values need one objective. It appears in experiments that have exactly one.",
        )
    own = _line_of(spec, runs)
    found = {name: line for name, group in _by_source(sources).items() if (line := _line_of(spec, group))}
    metric = spec.metrics.objectives[0]
    if not own or not found:
        whose = "run here" if not own else "source run"
        return Card(
            KEY, TITLE, absent=f"No {whose} is feasible and has {metric.name} yet. It appears with the first."
        )
    lines = dict(list(found.items())[:MOST])
    shown = scale([value for line in (own, *lines.values()) for value in line], keep=[own[-1]])
    traces = [
        _step(line, f"{name}", {"color": QUIET, "width": 1.4, "dash": DASHES[place % len(DASHES)]}, place < 3)
        for place, (name, line) in enumerate(lines.items())
    ]
    traces.append(_step(own, "this experiment", {"color": ACCENT, "width": 2.2}, True))
    x = axis("completed runs", rangemode="tozero", tickformat="d")
    y = axis(label(metric.name, longest=AXIS_LENGTH), **shown.axis)
    return Card(
        KEY,
        TITLE,
        claim=_claim(metric.sign, own, lines),
        how_to_read="An amber line that starts where the grey ones end began where its sources had stopped.",
        figure=compact({"data": traces, "layout": layout(x, y)}),
        notes=(outside_note(shown.outside, "value"),) if shown.outside else (),
    )


def _by_source(sources: Sequence[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for run in sources:
        name = f"experiment {run.experiment}" if run.experiment is not None else run.project or "runs"
        groups.setdefault(name, []).append(run)
    return groups


def _line_of(spec: ExperimentSpec, runs: Sequence[Run]) -> list[float]:
    """Best value after 1, 2, … completed runs; empty without a feasible one."""
    ordered = sorted(runs, key=lambda run: (run.ended or 0.0, run.number))
    numbered = [replace(run, number=place) for place, run in enumerate(ordered, start=1)]
    values = progress(spec, numbered).values
    return list(values) if any(math.isfinite(value) for value in values) else []


def _step(line: Sequence[float], name: str, style: dict[str, Any], is_named: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name, longest=30),
        "x": list(range(1, len(line) + 1)),
        "y": list(line),
        "line": {**style, "shape": "hv"},
        "showlegend": is_named,
        "hovertemplate": "%{y} after %{x} runs<extra></extra>",
    }


def _claim(sign: float, own: Sequence[float], lines: dict[str, list[float]]) -> str:
    best = max((line[-1] for line in lines.values()), key=lambda value: sign * value)
    passed = next((place for place, value in enumerate(own, start=1) if sign * value >= sign * best), None)
    if passed is None:
        return f"the sources' best, {short(best)}, is not reached after {number_of_runs(len(own))}"
    spent = max(len(line) for line in lines.values())
    reached = f"is reached after {number_of_runs(passed)}"
    return f"the sources' best, {short(best)}, {reached}; they took up to {spent}"
