"""A trial's failure in a form that reaches the driver whatever the user's exception is made of."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from heliostat.failures import TimedOut, kind_of, line_of, root_of

_RUNNER = "RunnerThread"
"""Class of the thread in which Ray Tune runs a function."""


class TrialFailure(Exception):
    """Raised in place of the user's exception, which may be unknown or unreadable where the driver runs.

    Args:
        kind: Name among :data:`heliostat.failures.KINDS`.
        message: One line for people.
        trace: The user's traceback, without Ray's frames and ours before it.
        facts: What the worker knows of itself.
    """

    def __init__(self, kind: str, message: str, trace: str = "", facts: Mapping[str, Any] | None = None):
        super().__init__(kind, message, trace, dict(facts or {}))  # so that it is rebuilt from its arguments
        self.kind, self.message, self.trace, self.facts = kind, message, trace, dict(facts or {})

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def failure(error: BaseException, facts: Mapping[str, Any]) -> TrialFailure:
    """The failure that an exception is, judged where it was raised."""
    root = root_of(error)
    if isinstance(root, TimedOut):
        return TrialFailure("timeout", str(root), "".join(_elsewhere()), facts)
    trace = _users(root.__traceback__)
    text = "".join(traceback.format_exception(type(root), root, trace))
    return TrialFailure(kind_of(error), line_of(root), text, facts)


def _users(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback from the user's first frame on; all of it, if it has none."""
    import ray

    frame = trace
    others = (str(Path(ray.__file__).parent), str(Path(__file__).parent), threading.__file__)
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(others):
        frame = frame.tb_next
    return frame or trace


def _elsewhere() -> Iterator[str]:
    """Where the user's function is, which runs in a thread of its own."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if type(thread).__name__ == _RUNNER and frame is not None:
            yield "Where the code was:\n"
            yield from traceback.format_stack(frame)
