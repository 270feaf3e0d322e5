"""The failed runs of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from heliostat.trial import Run

MOST = 200
"""Most failures listed; a hundred alike teach nothing more."""

LONGEST = 20_000
"""Longest traceback kept, in characters, from its end, where the cause is."""


@dataclass(frozen=True)
class FailedRun:
    """One failure: the run's number and state, the cause's kind, message and traceback."""

    number: int
    state: str
    kind: str
    message: str
    traceback: str


@dataclass(frozen=True)
class Failures:
    """All failures: how often each kind occurred, the latest ones, how many are not listed."""

    kinds: tuple[tuple[str, int], ...] = ()
    listed: tuple[FailedRun, ...] = ()
    hidden: int = 0


def failures(runs: Sequence[Run]) -> Failures:
    """The failures among `runs`, latest first."""
    failed = sorted((run for run in runs if run.failure is not None), key=lambda run: -run.number)
    every = [_failure(run) for run in failed]
    kinds = Counter(item.kind for item in every).most_common()
    return Failures(tuple(kinds), tuple(every[:MOST]), max(len(every) - MOST, 0))


def _failure(run: Run) -> FailedRun:
    assert run.failure is not None
    trace = run.failure.traceback
    if len(trace) > LONGEST:
        trace = f"… {len(trace) - LONGEST} characters left out\n{trace[-LONGEST:]}"
    return FailedRun(run.number, run.state.value, run.failure.kind, run.failure.message, trace)
