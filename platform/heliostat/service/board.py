"""Where the processes of a service on a cluster leave their counters, so that each can tell those of all."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prometheus_client import Metric

NAMESPACE = "heliostat"
PERIOD = 5.0
"""Seconds between two visits of a process."""

FORGOTTEN = 4 * PERIOD
"""Seconds without a visit after which a process is taken for gone."""

Families = list[Metric]


class BoardActor:
    """The latest counters of each process, in a process of its own.

    Args:
        forgotten: Seconds without a visit after which a process's counters are dropped; without any visit
            for as long, the board goes away.
    """

    def __init__(self, forgotten: float = FORGOTTEN) -> None:
        self._forgotten = forgotten
        self._pages: dict[str, tuple[float, Families]] = {}
        self._visited = time.monotonic()
        self._watch: asyncio.Task[None] | None = None

    async def visit(self, process: str, families: Families) -> dict[str, Families]:
        """Leave the counters of a process, and take those of all."""
        self._watch = self._watch or asyncio.create_task(self._retire_when_idle())
        now = self._visited = time.monotonic()
        self._pages[process] = now, families
        self._pages = {name: page for name, page in self._pages.items() if now - page[0] <= self._forgotten}
        return {name: page for name, (_, page) in self._pages.items()}

    async def retire(self) -> None:
        """End this actor for good, unless somebody came meanwhile."""
        import ray

        if self._is_idle():
            ray.actor.exit_actor()

    def _is_idle(self) -> bool:
        return time.monotonic() - self._visited > self._forgotten

    async def _retire_when_idle(self) -> None:
        import ray

        while not self._is_idle():
            await asyncio.sleep(self._forgotten / 4)
        me = ray.get_runtime_context().current_actor
        me.retire.options(max_task_retries=0).remote()  # tried again, it would bring the actor back


class Board:
    """The board of a service, as its processes see it.

    Args:
        service: Whose board; processes of one log share it.
        forgotten: See :class:`BoardActor`.
    """

    def __init__(self, service: str, *, forgotten: float = FORGOTTEN) -> None:
        self._name, self._forgotten = f"metrics-{service}", forgotten
        self._actor: Any = None

    async def visit(self, process: str, families: Families) -> dict[str, Families]:
        """Leave one's counters and take those of all; one's own alone where the board is away just now."""
        from ray.exceptions import RayError

        try:
            if self._actor is None:
                self._actor = await asyncio.to_thread(self._found)
            found: dict[str, Families] = await self._actor.visit.remote(process, families)
        except RayError:  # it has gone, or goes: the next visit makes another
            self._actor = None
            return {process: families}
        return found

    def _found(self) -> Any:
        import ray

        actor = ray.remote(BoardActor).options(
            name=self._name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            num_cpus=0,
        )
        return actor.remote(self._forgotten)
