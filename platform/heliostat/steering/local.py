"""Stewards in this process: for one process that serves alone, and where there is no Ray."""

from __future__ import annotations

import asyncio
import threading

from heliostat.ports import RunLog
from heliostat.steering.requests import Answer, Ask, Status
from heliostat.steering.steward import Steward


class LocalStewards:
    """One steward for each experiment that was asked about; safe for use by many threads.

    Args:
        log: Where the experiments are.
    """

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._stewards: dict[int, Steward] = {}

    async def ask(self, experiment: int, ask: Ask) -> Answer:
        """As :meth:`Steward.ask`."""
        steward = self._stewards.get(experiment)
        if steward is None:
            steward = await asyncio.to_thread(self._opened, experiment)
        return await asyncio.wrap_future(steward.ask(ask))

    def ask_and_wait(self, experiment: int, ask: Ask) -> Answer:
        """The same, for threads."""
        return self._opened(experiment).ask(ask).result()

    def nudge(self, experiment: int) -> None:
        """Something was reported; a steward that sleeps is not woken for it."""
        steward = self._stewards.get(experiment)
        if steward is not None:
            steward.nudge()

    async def status(self, experiment: int) -> Status | None:
        """How its steward stands; ``None`` while it has none."""
        steward = self._stewards.get(experiment)
        return None if steward is None else await asyncio.to_thread(steward.status)

    async def statuses(self) -> list[Status]:
        """How all stand that are awake."""
        with self._lock:
            stewards = list(self._stewards.values())
        return [await asyncio.to_thread(steward.status) for steward in stewards]

    def close(self) -> None:
        """Answer what waits, then let all of them go."""
        with self._lock:
            stewards, self._stewards = self._stewards, {}
        for steward in stewards.values():
            steward.close()

    def _opened(self, experiment: int) -> Steward:
        with self._lock:
            if experiment not in self._stewards:
                self._stewards[experiment] = Steward(self._log, experiment)
            return self._stewards[experiment]
