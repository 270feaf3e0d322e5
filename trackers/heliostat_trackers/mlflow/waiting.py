"""Asking again until the server answers: ever more rarely, and not for ever unless that is wanted."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from heliostat_trackers.mlflow.faults import ServerAway
from heliostat_trackers.mlflow.settings import Settings

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0

Answer = TypeVar("Answer")


class Waiting:
    """How long, and how often, a server that is away is asked.

    Args:
        settings: Whose time limit grows with each failure.
        patience: Seconds in a row without an answer after which to give up; ``None`` for never.
        stop: Once set, `last_patience` holds instead.
        last_patience: Seconds.
        notify: Called with the reason of each wait, and with nothing when it is over.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        patience: float | None,
        stop: threading.Event,
        last_patience: float,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._patience = patience
        self._stop = stop
        self._last_patience = last_patience
        self._notify = notify
        self._failures = 0
        self._since = 0.0

    def insist(self, ask: Callable[[], Answer]) -> Answer:
        """The answer, asked for until there is one.

        Raises:
            ServerAway: There was none for too long.
        """
        while True:
            try:
                answer = ask()
            except ServerAway as error:
                self._pause(error)
            else:
                self._recover()
                return answer

    def _pause(self, error: ServerAway) -> None:
        now = time.monotonic()
        self._since = self._since if self._failures else now
        self._failures += 1
        patience = self._last_patience if self._stop.is_set() else self._patience
        if patience is not None and now - self._since >= patience:
            raise error
        self._notify(str(error))
        self._settings.allow_time(self._failures)
        longest = min(FIRST_PAUSE * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        # Not all mirrors of a server that comes back may ask at the same moment.
        pause = longest * random.uniform(0.5, 1.0)
        if self._stop.is_set():
            time.sleep(min(pause, 2.0))
        else:
            self._stop.wait(pause)

    def _recover(self) -> None:
        if self._failures:
            self._failures = 0
            self._settings.allow_time(0)
            self._notify("")
