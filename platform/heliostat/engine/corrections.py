"""What is known of a run that has ended, set right by the user."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from heliostat import outcome as ends
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Failure, Run, State
from heliostat.writes import CorrectRun


def corrected(
    spec: ExperimentSpec, run: Run, values: Mapping[str, Any] | None, failed: bool | None
) -> CorrectRun:
    """The write that sets an ended run right.

    The corrected values are judged as if the run had ended with them. A run that a scheduler stopped stays
    early-stopped unless it is said that it did not fail.

    Args:
        spec: The run's experiment.
        run: As it is.
        values: Metric values, laid over its own: numbers or ``(value, stddev)`` pairs.
        failed: Whether it failed; left out, the values decide.

    Raises:
        InvalidValue: Nothing is to be corrected, or a value is no number.
    """
    if values is None and failed is None:
        raise InvalidValue("values", "say what to correct", remedy="Give values, or failed=True or False.")
    new = {name: ends.measurement(value, f"values.{name}") for name, value in (values or {}).items()}
    now = time.time()
    if failed:
        reason = "marked as failed by the user"
        failure = Failure("user_error", reason)
        return CorrectRun(run.id, State.FAILED, reason, time=now, values=new, failure=failure)
    judged = ends.judge(spec.metrics, {**run.values, **new})
    if failed is None and run.state is State.EARLY_STOPPED:
        return CorrectRun(run.id, run.state, run.end_reason, time=now, values=new)
    reason = "corrected by the user" if judged.failure is None else judged.reason
    return CorrectRun(run.id, judged.state, reason, time=now, values=new, failure=judged.failure)
