"""How the end of a run changes it, in memory and in the log."""

from __future__ import annotations

from dataclasses import replace

from heliostat.errors import Conflict
from heliostat.outcome import Outcome
from heliostat.trial import Run, State
from heliostat.writes import FinishRun


def applied(run: Run, outcome: Outcome, now: float) -> Run:
    """The run after its end: its last values laid over those it had."""
    return replace(
        run,
        state=outcome.state,
        values={**run.values, **outcome.values},
        end_reason=outcome.reason,
        failure=outcome.failure,
        ended=now,
    )


def write_of(
    run: int, outcome: Outcome, now: float, *, attempt: int | None = None, epoch: int | None = None
) -> FinishRun:
    """The write that records the end.

    Args:
        run: The run.
        outcome: How it ended.
        now: When.
        attempt: Refused if a later attempt has begun.
        epoch: Refused if a later session has taken over; ``None`` if any process may report it.
    """
    return FinishRun(
        run,
        outcome.state,
        outcome.reason,
        time=now,
        values=dict(outcome.values),
        failure=outcome.failure,
        attempt=attempt,
        epoch=epoch,
    )


def refuse_ended(run: int, state: State) -> None:
    """Raise Conflict if a run has ended; one that was lost may end after all."""
    if not state.is_open and state is not State.LOST:
        rule = f"run {run} has ended ({state}) and a run ends once"
        raise Conflict(rule, remedy="Report it before its end.")
