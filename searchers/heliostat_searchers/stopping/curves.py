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

    @property
    def step(self) -> int:
        """The last step; 0 before the first."""
        return self._steps[-1] if self._steps else 0

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


@dataclass(frozen=True, eq=False)
class Shown:
    """What finished curves had shown by a step, one row a curve; NaN where nothing.

    Args:
        step: All curves are longer.
        now: Values at the step, ``n x m``.
        before: Values at half of it, ``n x m``; those at the step where nothing was shown by then.
        best: Best values by the step, ``n x m``.
        finals: Where they ended, ``n x m``.
        lengths: Their last steps, ``n``.
    """

    step: int
    now: Array
    before: Array
    best: Array
    finals: Array
    lengths: Array

    @classmethod
    def of(cls, curves: Sequence[Curve], step: int) -> Shown:
        """The rows of curves that are longer than a step."""
        m = len(curves[0].final) if curves else 0
        now, then, best, finals = (
            np.array(rows).reshape(len(curves), m)
            for rows in (
                [curve.by(step) for curve in curves],
                [curve.by(step / 2) for curve in curves],
                [curve.best_by(step) for curve in curves],
                [curve.final for curve in curves],
            )
        )
        before = np.where(np.isfinite(then), then, now)
        return cls(step, now, before, best, finals, np.array([curve.step for curve in curves], dtype=float))

    def __len__(self) -> int:
        return len(self.now)

    def where(self, kept: NDArray[np.bool_]) -> Shown:
        """Some of the rows."""
        parts = (self.now, self.before, self.best, self.finals, self.lengths)
        return Shown(self.step, *(part[kept] for part in parts))


class FinishedCurves:
    """The curves of runs that went to their end: the latest ones whole, of all others the end.

    Args:
        curves: To begin with.
    """

    def __init__(self, curves: Iterable[Curve] = ()) -> None:
        self._curves: list[Curve] = []
        self._finals: list[Array] = []
        self._shown: dict[int, Shown] = {}
        for curve in curves:
            self.add(curve)

    def __len__(self) -> int:
        return len(self._finals)

    def add(self, curve: Curve) -> None:
        """Take one more; one that lacks a final value teaches nothing here."""
        if np.isfinite(curve.final).all():
            self._curves = [*self._curves, curve][-MOST_CURVES:]
            self._finals.append(curve.final)
            self._shown.clear()

    def shown_by(self, step: int) -> Shown:
        """What those that went on after a step had shown by it; kept until the next curve comes."""
        if step not in self._shown:
            self._shown[step] = Shown.of(self.longer_than(step), step)
        return self._shown[step]

    def longer_than(self, step: int) -> list[Curve]:
        """Those that went on after a step: a run is never stopped where others end by themselves."""
        return [curve for curve in self._curves if curve.step > step]

    @property
    def finals(self) -> Array:
        """Where all of them ended, ``n x m``."""
        return np.array(self._finals)
