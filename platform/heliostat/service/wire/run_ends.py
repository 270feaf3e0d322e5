"""The end of a run as the wire reports it: a state in an update."""

from __future__ import annotations

from heliostat import outcome as ends
from heliostat.errors import Conflict
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat.service.calls import Call
from heliostat.service.wire.fields import now
from heliostat.service.wire.run_objects import wire_state
from heliostat.service.wire.stewards import stewards
from heliostat.steering.ending import REPORTED_FAILURE, Ending, end
from heliostat.trial import Run, State
from heliostat.writes import CorrectRun


async def ended(call: Call, id: int, *, failed: bool) -> Run:
    """End a run, judged by its experiment's metrics if it has one.

    A run that has ended so before stays as it is. One that ended otherwise is corrected, as SigOpt's clients
    may say "failed" after "completed".

    Raises:
        NotFound: There is no such run.
    """
    run = await call.read(_end, call.log, id, failed)
    if run.experiment is not None:
        call.backend.part(stewards).nudge(run.experiment)
    return run


def reopened(id: int) -> Conflict:
    """The error for making an ended run active again."""
    rule = f"run {id} has ended, and an ended run stays so"
    return Conflict(rule, remedy="Create another run.", code="HS-CONFLICT-003")


def _end(log: RunLog, id: int, failed: bool) -> Run:
    known = log.run(id)
    if known.state.is_open or known.state is State.LOST:
        try:
            return end(log, id, Ending(failed=failed))
        except Conflict:  # somebody else was quicker
            known = log.run(id)
            if known.state.is_open:
                raise
    if (wire_state(known.state) == "failed") == failed:
        return known
    judged = _judged(log, known, failed)
    if judged.state is not known.state:
        log.apply(CorrectRun(id, judged.state, judged.reason, time=now(), failure=judged.failure))
    return log.run(id)


def _judged(log: RunLog, run: Run, failed: bool) -> Outcome:
    if failed:
        return ends.raised({}, "user_error", REPORTED_FAILURE)
    if run.experiment is None:
        return Outcome(State.COMPLETED, "finished")
    return ends.judge(log.experiment(run.experiment).spec.metrics, run.values)
