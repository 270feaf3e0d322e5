"""Multitask: what part of the work was done on which task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heliostat.experiment import ExperimentSpec, Task
from heliostat.figures.card import Card
from heliostat.figures.numbers import compact, label, short
from heliostat.figures.theme import ACCENT, GOOD, MUTED, QUIET, axis, layout
from heliostat.trial import Run

KEY, TITLE = "task-mix", "Task mix"
MOST_BLOCKS = 24
MOST_TASKS = 4
COLORS = (ACCENT, GOOD, QUIET, MUTED)
"""The full task first, then cheaper ones."""


def task_mix(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """Numbers of runs by task, in blocks of consecutive runs."""
    if not spec.tasks:
        return Card(
            KEY, TITLE, absent="There is one task only. It appears in experiments that declare tasks."
        )
    used = sorted(
        (run for run in runs if run.task and run.state.uses_budget and not run.archived),
        key=lambda run: run.number,
    )
    if not used:
        return Card(KEY, TITLE, absent="No run has been handed out yet. It appears with the first.")
    ordered = sorted(spec.tasks, key=lambda task: -task.cost)
    spent = {task.name: task.cost * sum(run.task == task.name for run in used) for task in ordered}
    whole = sum(spent.values()) or 1.0
    shares = ", ".join(
        f"{100 * spent[task.name] / whole:.0f} % on {task.name}" for task in ordered[:MOST_TASKS]
    )
    hidden = len(ordered) - MOST_TASKS
    return Card(
        KEY,
        TITLE,
        claim=f"of the cost, {shares}",
        how_to_read="Each bar is a block of runs by task; cheap tasks early and full ones late save time.",
        figure=compact(_figure(ordered[:MOST_TASKS], used)),
        notes=(f"{hidden} cheaper tasks are not drawn.",) if hidden > 0 else (),
    )


def _figure(tasks: Sequence[Task], runs: Sequence[Run]) -> dict[str, Any]:
    size = max(1, math.ceil(len(runs) / MOST_BLOCKS))
    blocks = [runs[start : start + size] for start in range(0, len(runs), size)]
    names = [_name(block) for block in blocks]
    traces = [
        {
            "type": "bar",
            "name": label(f"{task.name} (cost {short(task.cost)})", longest=30),
            "x": names,
            "y": [sum(run.task == task.name for run in block) for block in blocks],
            "marker": {"color": color},
            "hovertemplate": "runs %{x}: %{y}<extra></extra>",
        }
        for task, color in zip(tasks, COLORS, strict=False)
    ]
    x = axis("runs", type="category", tickangle=0, nticks=9)
    y = axis("number of runs", rangemode="tozero", **({"dtick": 1} if size < 6 else {}))
    return {"data": traces, "layout": layout(x, y, barmode="stack", bargap=0.15)}


def _name(block: Sequence[Run]) -> str:
    first, last = block[0].number, block[-1].number
    return str(first) if first == last else f"{first}–{last}"
