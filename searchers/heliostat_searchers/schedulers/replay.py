"""The run log told again, in the order in which it happened.

Ray Tune never saves the state of a scheduler; ours need no state beside the log. A scheduler that is made for
an experiment is told first what the experiment's earlier runs showed, and then stands where the last one
stood, however that one ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heliostat.outcome import sift
from heliostat.trial import Checkpoint, History, Run, State

TAUGHT = (State.COMPLETED, State.EARLY_STOPPED)
"""Only these are told: open ones begin anew, failed, lost and cancelled ones teach nothing."""

SPENT = "time_total_s"
"""Ray Tune's own clock of a trial; the log holds the time of each point instead."""


@dataclass(frozen=True)
class Begun:
    """A run was handed out."""

    run: Run


@dataclass(frozen=True)
class Reported:
    """A run reported a point of its curve."""

    run: Run
    point: Checkpoint


@dataclass(frozen=True)
class Ended:
    """A run went to its end, or was stopped."""

    run: Run


Event = Begun | Reported | Ended


def events(history: History) -> Iterator[Event]:
    """What happened, by time."""
    found: list[tuple[float, int, int, Event]] = []
    for run in history.runs:
        if run.archived or run.state not in TAUGHT:
            continue
        found.append((run.created, 0, run.number, Begun(run)))
        found += [(point.time, 1, run.number, Reported(run, point)) for point in run.curve]
        found.append((run.ended or run.created, 2, run.number, Ended(run)))
    for *_, event in sorted(found, key=lambda item: item[:3]):
        yield event


def resource_at(run: Run, point: Checkpoint, name: str | None) -> float | None:
    """What a run had used of a resource at a point; ``None`` where it does not say."""
    if name is None:
        return float(point.step)
    if name in point.values:
        return point.values[name]
    return point.time - run.started if name == SPENT and run.started else None


def numbers_of(values: Mapping[str, object]) -> dict[str, float]:
    """The finite numbers among reported values."""
    found = sift(values)[0]
    return {name: item.value for name, item in found.items() if abs(item.value) < float("inf")}
