"""Askings that go to one actor together: while a call is under way, those that come wait for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakKeyDictionary

from heliostat.steering.requests import Answer, Ask

Call = Callable[[int, Sequence[Ask]], Awaitable[Sequence[Answer | Exception]]]
"""Takes an experiment and askings; for each the answer, or what is to be raised instead."""


class Lanes:
    """One lane for each experiment in each event loop.

    A steward answers one batch after the other, so nobody waits longer than in its own queue, and a call to
    an actor costs many times what another asking in it does.

    Args:
        call: Answers a batch.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Lane]] = WeakKeyDictionary()

    async def ask(self, experiment: int, ask: Ask) -> Answer:
        """The answer to one asking.

        Raises:
            Exception: What was answered instead.
        """
        loop = asyncio.get_running_loop()
        lanes = self._lanes.setdefault(loop, {})
        lane = lanes.get(experiment)
        if lane is None:
            lane = lanes[experiment] = _Lane()
        future: asyncio.Future[Answer] = loop.create_future()
        lane.waiting.append((ask, future))
        if lane.task is None or lane.task.done():
            lane.task = loop.create_task(self._drive(experiment, lane))
        return await future

    async def _drive(self, experiment: int, lane: _Lane) -> None:
        while batch := [item for item in lane.waiting if not item[1].done()]:  # without those who gave up
            lane.waiting.clear()
            futures = [future for _, future in batch]
            answered: Sequence[tuple[asyncio.Future[Answer], Answer | Exception]]
            try:
                answers = await self._call(experiment, [ask for ask, _ in batch])
                if len(answers) != len(batch):
                    raise RuntimeError(f"{len(batch)} askings got {len(answers)} answers")
                answered = list(zip(futures, answers, strict=True))
            except Exception as error:
                answered = [(future, error) for future in futures]
            for future, answer in answered:
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)


class _Lane:
    def __init__(self) -> None:
        self.waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self.task: asyncio.Task[None] | None = None
