"""How many suggestions to keep ready: as many as are likely to be wanted while the next are thought of."""

from __future__ import annotations

import math

FIRST = 0.5
"""Suggestions taken while others are thought of, before anything is known: between none and one."""

WEIGHT = 0.15
"""Of the latest count in the mean: two thirds of a change are in it after half a dozen, and a burst is
forgotten."""

DEVIATIONS = 2.5
"""Standard deviations of a Poisson count that are kept ready beyond its mean: about once in a hundred times a
worker waits."""


class Demand:
    """Learns from what was taken.

    A long trial is best suggested late, when more results are known; where trials end quickly or thinking
    takes long, a worker must not wait.
    """

    def __init__(self) -> None:
        self._mean = FIRST

    def note(self, taken: int) -> None:
        """So many were taken, or wanted in vain, while the last ones were thought of."""
        self._mean += WEIGHT * (taken - self._mean)

    @property
    def spare(self) -> int:
        """How many should be ready; at least 1."""
        return 1 + round(self._mean + DEVIATIONS * math.sqrt(self._mean))
