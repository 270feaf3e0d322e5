"""What became of a run: the one place where reported values are judged."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.failures import KINDS, Consequence, kind_of
from heliostat.metrics import Metrics
from heliostat.trial import Failure, Measurement, State


@dataclass(frozen=True)
class Outcome:
    """How a run ends.

    Args:
        state: An end state.
        reason: One sentence for people.
        values: The metric values that are numbers, by name (NaN and infinity included: they were reported).
        failure: Set if the run failed or was lost.
    """

    state: State
    reason: str
    values: Mapping[str, Measurement] = field(default_factory=dict)
    failure: Failure | None = None


def judge(metrics: Metrics, reported: Mapping[str, Any]) -> Outcome:
    """The end of a run whose code finished by itself.

    A run that forgets a steering metric, or reports it as NaN, infinity or something that is no number, is
    failed, and its failure says which; whatever else it reported is kept.

    Args:
        metrics: The experiment's declared metrics.
        reported: The last value of each metric, as it came: a number, a ``(value, stddev)`` pair, or rubbish.
    """
    values, rubbish = sift(reported)
    numbers = {name: measurement.value for name, measurement in values.items()}
    declared = {metric.name for metric in metrics.all}
    for metric in metrics.steering:
        failure = _fault(metric.name, numbers, rubbish, declared)
        if failure is not None:
            return Outcome(State.FAILED, failure.message, values, failure)
    return Outcome(State.COMPLETED, "finished", values)


def raised(reported: Mapping[str, Any], kind: str, message: str, traceback: str = "") -> Outcome:
    """The end of a run whose code raised."""
    values, _ = sift(reported)
    return Outcome(State.FAILED, message, values, Failure(kind, message, traceback))


def broken(reported: Mapping[str, Any], error: BaseException, message: str, traceback: str = "") -> Outcome:
    """The end of a run that an exception left: failed, or lost where it was nobody's fault."""
    values, _ = sift(reported)
    kind = KINDS[kind_of(error)]
    state = State.LOST if kind.consequence is Consequence.RETRIED else State.FAILED
    return Outcome(state, message, values, Failure(kind.name, message, traceback))


def stopped(reported: Mapping[str, Any], reason: str) -> Outcome:
    """The end of a run that a scheduler stopped."""
    values, _ = sift(reported)
    return Outcome(State.EARLY_STOPPED, reason, values)


def cancelled(reported: Mapping[str, Any], reason: str) -> Outcome:
    """The end of a run that the user, or the end of the sweep, broke off."""
    values, _ = sift(reported)
    return Outcome(State.CANCELLED, reason, values)


def lost(reported: Mapping[str, Any], message: str, kind: str = "lost", traceback: str = "") -> Outcome:
    """The end of a run whose process or machine went away: it teaches nothing."""
    values, _ = sift(reported)
    return Outcome(State.LOST, message, values, Failure(kind, message, traceback))


def sift(reported: Mapping[str, Any]) -> tuple[dict[str, Measurement], dict[str, Any]]:
    """Reported values that are numbers, and the rest."""
    values: dict[str, Measurement] = {}
    rubbish: dict[str, Any] = {}
    for name, value in reported.items():
        try:
            values[str(name)] = measurement(value, str(name))
        except InvalidValue:
            rubbish[str(name)] = value
    return values, rubbish


def measurement(value: Any, field: str) -> Measurement:
    """A measurement from a number, a ``(value, stddev)`` pair or a measurement.

    Raises:
        InvalidValue: It is no number, or the standard error is negative.
    """
    if isinstance(value, Measurement):
        return value
    if isinstance(value, tuple) and len(value) == 2:
        stddev = schema.number(value[1], f"{field}.stddev")
        if stddev < 0:
            raise InvalidValue(f"{field}.stddev", "must not be negative", given=stddev)
        return Measurement(schema.real_number(value[0], field), stddev)
    return Measurement(schema.real_number(value, field))


def _complaint(name: str, value: Any) -> str:
    """Why a value is no measurement, short enough for a line."""
    stddev = value[1] if isinstance(value, tuple) and len(value) == 2 else None
    is_negative = isinstance(stddev, (int, float)) and stddev < 0
    rule = "needs a standard error of 0 or more" if is_negative else "must be a number"
    return f"{name!r} {rule}, got {repr(value)[:80]}"


def _fault(
    name: str, numbers: Mapping[str, float], rubbish: Mapping[str, Any], declared: Collection[str]
) -> Failure | None:
    if name in rubbish:
        return Failure("bad_value", f"metric {_complaint(name, rubbish[name])}")
    if name not in numbers:
        strangers = {other.lower(): other for other in numbers if other not in declared}
        alike = [strangers[other] for other in get_close_matches(name.lower(), strangers, 1)]
        hint = f"; {alike[0]!r} was" if alike else ""
        return Failure("missing_metric", f"metric {name!r} was never reported{hint}")
    if not math.isfinite(numbers[name]):
        return Failure("nan", f"metric {name!r} is {numbers[name]}")
    return None
