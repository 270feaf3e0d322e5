"""Ray Tune's controller, which hands itself to nobody: hooks find it among their callers."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

NEAR = 24
"""Most frames between one of our hooks and the controller; with two wrappers there are 10 in Ray 2.60."""


def calling_controller() -> Any:
    """The controller that is calling this thread's hook at the moment, or ``None``."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(NEAR):
        if frame is None:
            break
        caller = frame.f_locals.get("self")
        if hasattr(type(caller), "search_alg") and hasattr(type(caller), "scheduler_alg"):
            return caller
        frame = frame.f_back
    return None
