"""What a writer may take for true between two batches, so that most batches read nothing.

Other processes may write to the same log meanwhile. Whatever they change comes with an event, which takes the
number that this writer would give to its own next one: then the batch breaks a rule of the database, nothing
of it is applied, and it is applied again on what is read anew. So stale knowledge costs time, never truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from heliostat.trial import State

QUIET = 4
"""Batches in a row without another writer's event in between, before what is remembered is trusted again."""

_MOST_RUNS = 4096
_LONGEST_TEXT = 4096
"""Bound the memory to a few megabytes in nearly all cases; what is left out is read when it is needed."""


class FoundRun(NamedTuple):
    """What the writes about a run need to know of it."""

    id: int
    experiment: int | None
    number: int
    state: str
    values: str
    end_reason: str
    attempt: int
    metadata: str
    epoch: int | None

    @property
    def is_worth_keeping(self) -> bool:
        """Whether more writes about it are likely, and it is small."""
        return State(self.state).is_open and len(self.values) + len(self.metadata) <= _LONGEST_TEXT


@dataclass
class FoundExperiment:
    """What creating runs needs to know of an experiment; `last` is the number of its last run."""

    epoch: int
    project: str
    last: int


@dataclass
class Known:
    """The state of a log after its last event, as far as it is known.

    Args:
        last: Number of the last event and id of the last run; none if nothing is known.
        runs: By id.
        experiments: By id.
        metrics: The small integers that stand for them, by name.
    """

    last: tuple[int, int] | None = None
    runs: dict[int, FoundRun] = field(default_factory=dict)
    experiments: dict[int, FoundExperiment] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)

    def forget_rows(self) -> None:
        """What another statement may have changed in the same transaction."""
        self.runs.clear()
        self.experiments.clear()

    def prune(self, touched: Iterable[int]) -> None:
        """Leave out runs that nobody is likely to write to again, among those that were touched."""
        for id in touched:
            if id in self.runs and not self.runs[id].is_worth_keeping:
                del self.runs[id]
        while len(self.runs) > _MOST_RUNS:
            del self.runs[next(iter(self.runs))]


class Memory:
    """What one writer remembers, and whether it relies on it.

    Beside a busy second writer it would be wrong each time, and every batch be applied twice. So after a
    batch that broke it reads first, as long as other writers' events come between its own.
    """

    def __init__(self) -> None:
        self._known = Known()
        self._quiet = QUIET
        self._expected: int | None = None

    def take(self) -> Known:
        """What the next batch may build on; forgotten here until it is kept again."""
        known, self._known = self._known, Known()
        self._expected = known.last[0] if known.last else None
        return known if self._quiet >= QUIET else Known()

    def keep(self, known: Known, events: int) -> None:
        """Remember the state after a batch that is durable.

        Args:
            known: As the batch left it.
            events: How many it has written.
        """
        self._known = known
        if self._expected is not None and known.last is not None:
            is_alone = known.last[0] - events == self._expected
            self._quiet = min(self._quiet + 1, QUIET) if is_alone else 0

    def distrust(self) -> None:
        """Read first from now on, until nobody else writes."""
        self._quiet = 0
