"""How a trial ends where no experiment declares its metrics."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from heliostat import outcome as ends
from heliostat.outcome import Outcome, sift
from heliostat.trial import Failure, State


def finished(reported: Mapping[str, Any], objectives: Iterable[str] = ()) -> Outcome:
    """The end of a trial whose code came to its end: failed if an objective is missing or NaN."""
    values, _ = sift(reported)
    for name in objectives:
        if name not in values:
            message = f"metric {name!r} was never reported"
            return Outcome(State.FAILED, message, values, Failure("missing_metric", message))
        if math.isnan(values[name].value):
            message = f"metric {name!r} is nan"
            return Outcome(State.FAILED, message, values, Failure("nan", message))
    return Outcome(State.COMPLETED, "finished", values)


def broken(error: BaseException, reported: Mapping[str, Any] | None = None) -> Outcome:
    """The end of a trial that this exception ended: the code's own failure, or the user's Ctrl-C."""
    if not isinstance(error, Exception):
        return ends.cancelled(reported or {}, type(error).__name__)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return ends.broken(reported or {}, error, first_line(f"{type(error).__name__}: {error}"), text)


def first_line(text: str) -> str:
    """One line for people."""
    return (text.strip().splitlines() or [""])[0][:500]
