"""When each run ran, on the fewest lanes that hold them all."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.experiment import ExperimentSpec
from heliostat.figures.card import Card
from heliostat.figures.marks import hover, selected
from heliostat.figures.numbers import compact, short
from heliostat.figures.theme import ACCENT, BAD, GOOD, QUIET, axis, layout
from heliostat.trial import Run, State

KEY, TITLE = "timeline", "Timeline"
MOST = 2000
"""Most runs drawn, the latest."""

UNITS = (
    (86_400.0 * 2, 86_400.0, "days"),
    (7200.0, 3600.0, "hours"),
    (120.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)
"""A span from so many seconds on is shown in a unit of so many seconds."""

ENDS = {
    "completed": (GOOD, (State.COMPLETED,)),
    "stopped early or cancelled": (QUIET, (State.EARLY_STOPPED, State.CANCELLED)),
    "failed or lost": (BAD, (State.FAILED, State.LOST)),
    "running": (ACCENT, (State.ACTIVE,)),
}


@dataclass(frozen=True)
class _Span:
    """A run on its lane, in seconds since the epoch."""

    run: Run
    lane: int
    start: float
    end: float


def timeline(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """A bar per run from its start to its end; open ones reach to the last thing that is known."""
    del spec
    spans = _spans([run for run in runs if not run.archived])
    if not spans:
        return Card(KEY, TITLE, absent="No run has started yet. It appears with the first that does.")
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    lanes = 1 + max(span.lane for span in spans)
    busy = sum(span.end - span.start for span in spans) / ((last - first) * lanes) if last > first else 1.0
    unit, word = next((unit, word) for least, unit, word in UNITS if last - first >= least)
    figure = _figure(spans, first, unit, axis(f"{word} since the first start", rangemode="tozero"), lanes)
    known = sum(run.started is not None for run in runs)
    return Card(
        KEY,
        TITLE,
        claim=f"{lanes} at once at most, {100 * busy:.0f} % busy, {short((last - first) / unit)} {word}",
        how_to_read="Each bar is a run from start to end; a gap in a lane is time in which a worker waited.",
        figure=compact(figure),
        notes=(f"The latest {MOST} of {known} runs are drawn.",) if known > MOST else (),
    )


def _spans(runs: Sequence[Run]) -> list[_Span]:
    """The runs on lanes: each takes the lane that has been free longest, or a new one."""
    started = sorted((run for run in runs if run.started is not None), key=lambda run: run.started or 0.0)[
        -MOST:
    ]
    known = [time for run in started for time in (run.started, run.ended, run.updated) if time]
    now = max(known, default=0.0)
    free: list[tuple[float, int]] = []
    spans = []
    for run in started:
        start = run.started or 0.0
        end = max(now if run.ended is None else run.ended, start)
        is_free = bool(free) and free[0][0] <= start
        lane = heapq.heappop(free)[1] if is_free else len(free)
        heapq.heappush(free, (end, lane))
        spans.append(_Span(run, lane, start, end))
    return spans


def _figure(
    spans: Sequence[_Span], first: float, unit: float, x: dict[str, Any], lanes: int
) -> dict[str, Any]:
    width = min(max(180 / lanes, 2.0), 14.0)
    traces = []
    for name, (color, states) in ENDS.items():
        group = [span for span in spans if span.run.state in states]
        if group:
            traces.append(_bars(group, first, unit, name, {"color": color, "width": width}))
    y = axis("lane", range=[lanes + 0.6, 0.4], tickformat="d", **({"dtick": 1} if lanes < 9 else {}))
    y["showgrid"] = False
    ring = {**selected(), "mode": "lines"}
    ring["line"] = {**ring["line"], "width": max(width / 2, 2)}
    return {"data": [*traces, ring], "layout": layout(x, y)}


def _bars(
    group: Sequence[_Span], first: float, unit: float, name: str, line: dict[str, Any]
) -> dict[str, Any]:
    """Many bars as one broken line: thousands of bars of their own would be slow."""
    trace: dict[str, Any] = {"type": "scatter", "mode": "lines", "name": name, "line": line}
    trace.update(hoverinfo="text", connectgaps=False, opacity=0.85)
    trace.update({key: [] for key in ("x", "y", "customdata", "hovertext")})
    for span in group:
        start, end = (span.start - first) / unit, (span.end - first) / unit
        trace["x"] += [start, (start + end) / 2, end, None]
        trace["y"] += [span.lane + 1] * 3 + [None]
        trace["customdata"] += [span.run.number] * 4
        trace["hovertext"] += [_hover(span)] * 3 + [""]
    return trace


def _hover(span: _Span) -> str:
    seconds = span.end - span.start
    lasted = f"{short(seconds)} s" if math.isfinite(seconds) else ""
    return f"{hover(span.run)}<br>{lasted}"
