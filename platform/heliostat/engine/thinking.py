"""Whose turn it is with a searcher, what its answers took, and how an engine stands."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Pulse:
    """An engine's state, for operators.

    Args:
        open: Runs that have not ended.
        ready: About how many suggestions wait to be handed out; some may turn out to be too old.
        behind: Events of the log that it has still to read, counted up to a thousand.
        answers: Times that the searcher was asked.
        seconds: What its answers took.
    """

    open: int
    ready: int
    behind: int
    answers: int
    seconds: float


class Thinking:
    """A searcher keeps what it has fitted, so it answers one thread at a time.

    Attributes:
        answers: How many turns are over.
        seconds: What they took, waiting for a turn left out.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.answers, self.seconds = 0, 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and have it."""
        with self._lock:
            began = time.monotonic()
            try:
                yield
            finally:
                self.answers += 1
                self.seconds += time.monotonic() - began
