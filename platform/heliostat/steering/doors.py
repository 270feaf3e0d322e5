"""Which stewards a process asks: actors where it belongs to a cluster, else its own."""

from __future__ import annotations

import sys
from typing import Protocol

from heliostat.ports import RunLog
from heliostat.steering.local import LocalStewards
from heliostat.steering.requests import Answer, Ask, Status


class Stewards(Protocol):
    """The stewards of all experiments of a run log."""

    async def ask(self, experiment: int, ask: Ask) -> Answer:
        """Runs for an asker."""
        ...

    def ask_and_wait(self, experiment: int, ask: Ask) -> Answer:
        """The same, for threads."""
        ...

    def nudge(self, experiment: int) -> None:
        """Something was reported: the next suggestion may be thought of."""
        ...

    async def status(self, experiment: int) -> Status | None:
        """How its steward stands; ``None`` while there is none."""
        ...

    async def statuses(self) -> list[Status]:
        """How all stand that are awake, whoever asked them; without those that do not answer at once."""
        ...

    def close(self) -> None:
        """Let go of what belongs to this process."""
        ...


def stewards_of(log: RunLog) -> Stewards:
    """The stewards of a log: Ray actors if this process is connected to a cluster, else threads."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        from heliostat.steering.cluster import ClusterStewards

        return ClusterStewards(log)
    return LocalStewards(log)
