"""A run in a notebook: state, metrics by role, parameters."""

from __future__ import annotations

import math

from heliostat.figures.numbers import short
from heliostat.notebook.markup import heading, table, text
from heliostat.trial import Measurement, Run, State

TONES = {State.COMPLETED: "good", State.FAILED: "bad", State.ACTIVE: "accent"}


def run_html(run: Run) -> str:
    """The run as it is in the log."""
    name = f"run {run.number}" if run.number else f"run {run.id}"
    lasted = f", {short(run.seconds)} s" if math.isfinite(run.seconds) else ""
    title = heading(f"{name} {run.name}".strip(), f"{run.origin} {run.searcher}".strip())
    state = text(f"{run.state.value.replace('_', ' ')}{lasted}", TONES.get(run.state, ""))
    why = text(run.failure.message, "bad") if run.failure else text(run.end_reason or run.why)
    rows = [[text(key), text(measured(item))] for key, item in run.values.items()]
    for role, metrics in sorted(run.late.items()):
        for key, values in metrics.items():
            last = max(values, key=lambda value: value.time)
            rows.append([text(f"{key} ({role})"), text(measured(Measurement(last.value, last.stddev)))])
    given = [[text(key), text(short(value))] for key, value in run.assignments.items()]
    parts = [title, f"<p>{state} {why}</p>"]
    parts += [table(("metric", "value"), rows)] if rows else []
    parts += [table(("parameter", "value"), given)] if given else []
    return "".join(parts)


def measured(item: Measurement) -> str:
    """``0.91 ± 0.01``."""
    value = short(item.value) if math.isfinite(item.value) else str(item.value)
    return f"{value} ± {short(item.stddev)}" if item.stddev else value
