"""Metrics: MLflow keeps every value it was ever sent; our curves keep one value a step.

A point of MLflow's is known by metric, step, time and value. Who never passes a step has every point at
step 0, and then their order is the curve. So points at step 0 are kept twice: in the curve, where the last
one stays, and line by line in the text :data:`STREAM` of the run. When the run ends, a metric with several
points at step 0 and none elsewhere gets its curve from there, counted from 0. At other steps the last value
counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from heliostat.errors import InvalidValue
from heliostat.service.mlflow import fields
from heliostat.service.mlflow.fields import Data, written_number
from heliostat.trial import Checkpoint, Measurement, Run
from heliostat.writes import LogCheckpoints, LogText, UpdateRun, Write

STREAM = "mlflow.points"
"""The run's text that holds its points at step 0."""

BARE = "mlflow.bare"
"""The system fact that names the metrics whose curve was counted, as they were logged without steps."""


class Point(NamedTuple):
    """A value of a metric; `time` in milliseconds since the epoch."""

    step: int
    time: int
    key: str
    value: float


def read_point(data: Data) -> Point:
    """The point in a request.

    Raises:
        InvalidValue: A field is missing or wrong.
    """
    time = fields.required_integer(data, "timestamp")
    if abs(time) > 2**53:
        raise InvalidValue("timestamp", "must be milliseconds since the epoch", given=time)
    return Point(fields.integer(data, "step") or 0, time, fields.key(data), fields.number(data, "value"))


class Latest:
    """The newest step of each metric of the runs that this process hears of, so that late points do not win.

    What it has forgotten, or what another process heard, is set right when the run ends.
    """

    def __init__(self, runs: int = 1000) -> None:
        self._most = runs
        self._places: dict[int, dict[str, tuple[int, int]]] = {}

    def newest(self, run: int, points: Iterable[Point]) -> dict[str, Measurement]:
        """The values that these points change."""
        known = self._places.pop(run, {})
        self._places[run] = known
        if len(self._places) > self._most:
            self._places.pop(next(iter(self._places)))
        found: dict[str, Measurement] = {}
        for point in points:
            place = point.step, point.time
            if place >= known.get(point.key, place):
                known[point.key] = place
                found[point.key] = Measurement(point.value)
        return found


def point_writes(
    run: int, points: Sequence[Point], newest: Mapping[str, Measurement], now: float
) -> Iterator[Write]:
    """The writes that keep points; sent again they change nothing."""
    if not points:
        return
    yield LogCheckpoints(run, tuple(_checkpoints(points)))
    bare = [point for point in points if point.step == 0]
    if bare:
        lines = "".join(f"{_line(point)}\n" for point in bare)
        digest = blake2b(f"{run} {lines}".encode(), digest_size=16).hexdigest()
        moment = max(point.time for point in bare) / 1000
        yield LogText(run, STREAM, lines, time=moment, key=f"mlflow-points-{digest}")
    if newest:
        yield UpdateRun(run, time=now, values=newest)


def bare_points(text: str) -> dict[str, list[Point]]:
    """The points at step 0 by metric, in the order of their times."""
    found: dict[str, dict[Point, None]] = {}
    for line in text.splitlines():
        key, time, value = json.loads(line)
        number = fields.number({"value": value}, "value")
        found.setdefault(key, {})[Point(0, time, key, number)] = None
    return {key: sorted(points, key=lambda point: point.time) for key, points in found.items()}


def final_writes(run: Run, text: str, now: float) -> Iterator[Write]:
    """The curves of metrics that were logged without steps, once the run is whole."""
    stepped = {name for point in run.curve if point.step != 0 for name in point.values}
    counted = set(run.sys_metadata.get(BARE, ()))
    bare = {
        key: points
        for key, points in bare_points(text).items()
        if len(points) > 1 and (key in counted or key not in stepped)
    }
    if bare:
        points = [point._replace(step=place) for found in bare.values() for place, point in enumerate(found)]
        yield LogCheckpoints(run.id, tuple(_checkpoints(points)))
        yield UpdateRun(run.id, time=now, sys_metadata={BARE: sorted(counted | set(bare))})


def latest_values(run: Run, text: str) -> dict[str, Measurement]:
    """Each metric's value as MLflow tells it: that of the highest step, and there the last one."""
    bare = bare_points(text)
    counted = set(run.sys_metadata.get(BARE, ()))
    last = {key: points[-1] for key, points in bare.items()}
    for point in run.curve:
        for key, value in point.values.items():
            is_known = key in counted or (key in bare and point.step == 0)
            if not is_known and (key not in last or point.step >= last[key].step):
                last[key] = Point(point.step, round(point.time * 1000), key, value)
    return {key: Measurement(point.value) for key, point in last.items()}


def history(run: Run, key: str, text: str) -> list[Point]:
    """All points of a metric, by step and time.

    Args:
        run: With its curve.
        key: The metric.
        text: Its points at step 0.
    """
    bare = bare_points(text).get(key, [])
    if key in run.sys_metadata.get(BARE, ()):
        return bare
    curve = [
        Point(point.step, round(point.time * 1000), key, float(point.values[key]))
        for point in run.curve
        if key in point.values and not (bare and point.step == 0)
    ]
    found = sorted([*bare, *curve], key=lambda point: (point.step, point.time))
    if not found and key in run.values:
        moment = run.ended or run.updated or run.created
        return [Point(0, round(moment * 1000), key, run.values[key].value)]
    return found


def point_object(point: Point) -> dict[str, Any]:
    """A point as MLflow writes it."""
    return {
        "key": point.key,
        "value": written_number(point.value),
        "timestamp": point.time,
        "step": point.step,
    }


def _checkpoints(points: Sequence[Point]) -> Iterator[Checkpoint]:
    """One checkpoint for each step and time, older ones first, so that the newest value of a step stays."""
    together: dict[tuple[int, int], dict[str, float]] = {}
    for point in sorted(points, key=lambda point: (point.step, point.time)):
        together.setdefault((point.step, point.time), {})[point.key] = point.value
    for (step, time), values in together.items():
        yield Checkpoint(step, values, time / 1000)


def _line(point: Point) -> str:
    value = "NaN" if math.isnan(point.value) else written_number(point.value)
    return json.dumps([point.key, point.time, value])
