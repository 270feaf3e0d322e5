"""Waiting for a database that is away for a moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from heliostat_trackers.faults import passes_by_itself, storage_error

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_SHORTEST, _LONGEST = 0.05, 1.0


def retried(action: Callable[[], Result], *, seconds: float, url: str) -> Result:
    """What the action returns; it is repeated while it fails of what passes by itself.

    Args:
        action: Harmless to repeat.
        seconds: How long to go on after the first failure.
        url: The log's, for the one warning.

    Raises:
        Exception: The action's own, of another kind, or when the time is over.
    """
    give_up, pause = None, _SHORTEST
    while True:
        try:
            return action()
        except Exception as error:
            if not passes_by_itself(error):
                raise
            if give_up is None:
                give_up = time.monotonic() + seconds
                rule = storage_error(error, url).rule.rstrip(".")
                logger.warning("%s; trying again for up to %g s", rule, seconds)
            if time.monotonic() + pause > give_up:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST)
