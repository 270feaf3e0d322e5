"""Rungs: what each run had shown when it had used so much of a resource, and who ranks among the best there.

The resource is anything that a run reports and that only grows: steps, seconds, money. A run is recorded at a
rung once, with the first values it shows there; a run that was resumed and repeats what it did is not counted
twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, nan

import numpy as np
from numpy.typing import NDArray

from heliostat.metrics import Metrics
from heliostat_searchers.stopping.ranks import ranked

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where a run stands at a rung.

    Args:
        rung: Index of the rung.
        level: The resource there.
        position: From 0, the best.
        count: Runs that reached the rung.
        share: Of them go on, the best 1/reduction.
    """

    rung: int
    level: float
    position: int
    count: int
    share: int

    @property
    def is_among_the_best(self) -> bool:
        """Whether it may go on."""
        return self.position < self.share


class Rungs:
    """All rungs of a search.

    Args:
        metrics: The experiment's.
        first: Resource at the first rung.
        most: Resource of a full run, where there is no rung any more.
        reduction: Ratio of the resource between rungs, and of the runs that go on.
    """

    def __init__(self, metrics: Metrics, *, first: float, most: float, reduction: float) -> None:
        self._metrics = metrics
        self.reduction = reduction
        self.most = most
        self.levels: list[float] = []
        level = float(first)
        while level < most:
            self.levels.append(level)
            level *= reduction
        self.records: list[dict[str, tuple[float, ...]]] = [{} for _ in self.levels]

    def crossed(self, key: str, resource: float) -> int | None:
        """The highest rung that a run has reached and is not recorded at, if there is none above it."""
        for rung in reversed(range(len(self.levels))):
            if key in self.records[rung]:
                return None
            if resource >= self.levels[rung]:
                return rung
        return None

    def record(self, key: str, rung: int, values: Mapping[str, float]) -> Place:
        """Note what a run shows at a rung, and where that puts it."""
        row = tuple(metric.sign * values.get(metric.name, nan) for metric in self._metrics.steering)
        self.records[rung][key] = row
        return self.place(key, rung)

    def place(self, key: str, rung: int) -> Place:
        """Where a run that was recorded stands now."""
        position = self.order(rung).index(key)
        count = len(self.records[rung])
        return Place(rung, self.levels[rung], position, count, self.share(count))

    def share(self, count: int) -> int:
        """How many of so many runs go on."""
        return max(1, ceil(count / self.reduction - 1e-9))

    def order(self, rung: int) -> list[str]:
        """The runs of a rung, the best first."""
        keys = list(self.records[rung])
        rows = np.array(list(self.records[rung].values())).reshape(len(keys), len(self._metrics.steering))
        m = len(self._metrics.objectives)
        limits = [metric.sign * float(metric.threshold or 0.0) for metric in self._metrics.guardrails]
        violations = np.maximum(np.array(limits)[None, :] - rows[:, m:], 0.0)
        return [keys[place] for place in ranked(rows[:, :m], violations)]

    def drop(self, key: str) -> None:
        """Forget a run that failed or was lost."""
        for rung in self.records:
            rung.pop(key, None)
