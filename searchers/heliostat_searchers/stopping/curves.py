"""Curves as arrays: what a run had shown by a step, and where finished runs ended."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

from heliostat.metrics import Metrics
from heliostat.trial import Run

Array = NDArray[np.float64]

MOST_CURVES = 200
"""Finished curves that are kept whole: a regression on a few features gains nothing from more."""


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's steering metrics by step, turned so that more is better.

    Args:
        steps: Growing, at least one.
        rows: Last finite value of each metric by that step, NaN before the first.
        bests: Best finite value by that step, NaN before the first.
        final: Values that the finished run is judged by, ``m``; NaN while it is open.
    """

    steps: Sequence[int]
    rows: Sequence[Sequence[float]]
    bests: Sequence[Sequence[float]]
    final: Array

    @property
    def step(self) -> int:
        """The last step."""
        return self.steps[-1]

    @property
    def shown(self) -> Array:
        """All rows, ``len(steps) x m``."""
        return np.array(self.rows)

    def by(self, step: float) -> Array:
        """What it had shown by a step, ``m``; NaN where nothing."""
        return self._at(self.rows, step)

    def best_by(self, step: float) -> Array:
        """The best of each metric by a step, ``m``; NaN where nothing."""
        return self._at(self.bests, step)

    def until(self, step: float) -> Array:
        """All rows up to a step, ``k x m``."""
        return np.array(self.rows[: bisect_right(self.steps, step)])

    def without_last(self, count: int) -> Curve | None:
        """The curve without its last steps; ``None`` if none would be left."""
        left = len(self.steps) - count
        if left < 1:
            return None
        return replace(self, steps=self.steps[:left], rows=self.rows[:left], bests=self.bests[:left])

    def _at(self, rows: Sequence[Sequence[float]], step: float) -> Array:
        place = bisect_right(self.steps, step) - 1
        return np.array(rows[place]) if place >= 0 else np.full(len(self.final), nan)


class OpenCurve:
    """A curve that grows, step by step.

    Args:
        metrics: The experiment's.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics.steering
        self._steps: list[int] = []
        self._rows: list[list[float]] = []
        self._bests: list[list[float]] = []
        self._given: dict[str, float] = {}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Take what was reported at a step; one that is not after the last corrects the last."""
        self._given.update({name: value for name, value in values.items() if isfinite(value)})
        row = [metric.sign * self._given.get(metric.name, nan) for metric in self._metrics]
        if self._steps and step <= self._steps[-1]:
            self._rows.pop()
            self._bests.pop()
        else:
            self._steps.append(step)
        before = self._bests[-1] if self._bests else row
        self._rows.append(row)
        self._bests.append(np.fmax(before, row).tolist())

    def open(self) -> Curve:
        """The curve so far: a view, good until the next step."""
        return Curve(self._steps, self._rows, self._bests, np.full(len(self._metrics), nan))

    def finished(self, final: Mapping[str, float] | None = None) -> Curve:
        """The curve of a finished run; values that `final` lacks are the last shown ones."""
        given = {**self._given, **(final or {})}
        return replace(
            self.open(), final=np.array([item.sign * given.get(item.name, nan) for item in self._metrics])
        )


def read_curve(metrics: Metrics, run: Run) -> Curve | None:
    """The curve of a run that went to its end; ``None`` if it has none."""
    growing = OpenCurve(metrics)
    for point in sorted(run.curve, key=lambda item: item.step):
        growing.add(point.step, point.values)
    return growing.finished(run.numbers) if run.curve else None


class FinishedCurves:
    """The curves of runs that went to their end: the latest ones whole, of all others the end.

    Args:
        curves: To begin with.
    """

    def __init__(self, curves: Iterable[Curve] = ()) -> None:
        self._curves: list[Curve] = []
        self._finals: list[Array] = []
        for curve in curves:
            self.add(curve)

    def __len__(self) -> int:
        return len(self._finals)

    def add(self, curve: Curve) -> None:
        """Take one more; one that lacks a final value teaches nothing here."""
        if np.isfinite(curve.final).all():
            self._curves = [*self._curves, curve][-MOST_CURVES:]
            self._finals.append(curve.final)

    def longer_than(self, step: int) -> list[Curve]:
        """Those that went on after a step: a run is never stopped where others end by themselves."""
        return [curve for curve in self._curves if curve.step > step]

    @property
    def finals(self) -> Array:
        """Where all of them ended, ``n x m``."""
        return np.array(self._finals)
