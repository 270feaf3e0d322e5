"""Counts of an experiment's runs, kept as they change: a long sweep asks for them at every trial."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from heliostat.trial import Run


@dataclass
class Tally:
    """Numbers of runs; every run that is added is taken again before its next value is added.

    Args:
        ended: How many have ended.
        counted: How many use budget, by task.
    """

    ended: int = 0
    counted: Counter[str | None] = field(default_factory=Counter)

    def add(self, run: Run) -> None:
        """Count a run."""
        self._count(run, 1)

    def take(self, run: Run) -> None:
        """Count it no more."""
        self._count(run, -1)

    def _count(self, run: Run, by: int) -> None:
        self.ended += by * (not run.state.is_open)
        if run.state.uses_budget and not run.archived:
            self.counted[run.task] += by
