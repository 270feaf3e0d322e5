"""The end of a run, reported by anyone: judged by its experiment's metrics, written once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heliostat import outcome as ends
from heliostat.engine.ends import write_of
from heliostat.errors import Conflict
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat.trial import Failure, Measurement, Run, State

REPORTED_FAILURE = "reported as failed"


@dataclass(frozen=True)
class Ending:
    """How a run ended, as its worker tells it.

    Args:
        values: Metric values, laid over those that the run has: numbers or ``(value, stddev)`` pairs.
        failed: Whether the worker says that it failed; otherwise the values decide.
        stopped: Why it was stopped early, if it was.
        reason: For people.
        attempt: The attempt that tells; a later one makes it a Conflict. ``None``: whichever is open.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False
    stopped: str = ""
    reason: str = ""
    attempt: int | None = None


def end(log: RunLog, run: int, ending: Ending, spec: ExperimentSpec | None = None) -> Run:
    """End a run; the same end again is the same answer, so a report may be repeated.

    Args:
        log: Where it is.
        run: An open or lost run, in an experiment or not.
        ending: How.
        spec: The declaration of its experiment, if the caller has it at hand.

    Raises:
        NotFound: There is no such run.
        InvalidValue: A value is no number.
        Conflict: It has ended otherwise, or a later attempt of it is under way.
    """
    known = log.run(run)
    values = {name: ends.measurement(value, f"values.{name}") for name, value in ending.values.items()}
    if spec is None and known.experiment is not None:
        spec = log.experiment(known.experiment).spec
    outcome = _outcome(spec, {**known.values, **values}, ending)
    if not _may_end(known):
        return _same(known, values, outcome)
    try:
        log.apply(write_of(run, outcome, time.time(), attempt=ending.attempt))
    except Conflict:
        known = log.run(run)
        if _may_end(known):
            raise given_up(run) from None
        return _same(known, values, outcome)
    return log.run(run)


def given_up(run: int) -> Conflict:
    """The error for a worker whose run was handed to somebody else."""
    rule = f"run {run} was given up and is now in another attempt"
    return Conflict(rule, remedy="Drop this result and ask for another run.", code="HS-CONFLICT-011")


def _outcome(spec: ExperimentSpec | None, values: Mapping[str, Measurement], ending: Ending) -> Outcome:
    if ending.failed:
        reason = ending.reason or REPORTED_FAILURE
        return Outcome(State.FAILED, reason, values, Failure("user_error", reason))
    if ending.stopped:
        return ends.stopped(values, ending.stopped)
    if spec is None:
        return Outcome(State.COMPLETED, ending.reason or "finished", values)
    return ends.judge(spec.metrics, values)


def _may_end(run: Run) -> bool:
    return run.state.is_open or run.state is State.LOST


def _same(run: Run, values: Mapping[str, Measurement], outcome: Outcome) -> Run:
    """The run, if it ended as is told now."""
    told = {name: run.values.get(name) for name in values}
    if run.state is outcome.state and told == dict(values):
        return run
    rule = f"run {run.id} has ended ({run.state}) and a run ends once"
    raise Conflict(rule, remedy="Correct it by an update.")
