"""Stewards as Ray actors: one detached, named, restartable actor for each active experiment of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError
from ray.util import list_named_actors
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from heliostat.errors import HeliostatError, StaleSession, StorageError
from heliostat.ports import RunLog, Searcher
from heliostat.registry import load, open_log
from heliostat.steering.lanes import Lanes
from heliostat.steering.requests import Answer, Ask, Status
from heliostat.steering.steward import Steward

logger = logging.getLogger("heliostat")

NAMESPACE = "heliostat"
IDLE = 600.0
"""Seconds without a call after which an actor goes away; the next call makes another."""

TRIES = 5
"""Times that a call is sent to a new actor after its actor went away."""

STATUS_PATIENCE = 2.0
"""Seconds that an actor has to say how it stands."""

THINKERS = "heliostat.thinkers"
"""Entry points that make searchers which think in other processes."""


class ExperimentActor:
    """A steward in a process of its own. Errors are answered as values.

    Args:
        log: Address of the run log.
        experiment: Whose steward.
        idle: Seconds without a call after which it goes away.
    """

    def __init__(self, log: str, experiment: int, idle: float = IDLE) -> None:
        self._url, self._experiment, self._idle = log, experiment, idle
        self._opening = threading.Lock()
        self._log: RunLog | None = None
        self._steward: Steward | None = None
        self._watch: asyncio.Task[None] | None = None

    async def ask(self, asks: Sequence[Ask]) -> list[Answer | HeliostatError]:
        """As :meth:`Steward.ask`, several at once."""
        try:
            steward = self._steward
            if steward is None:
                steward = await asyncio.to_thread(self._opened)
            self._watch = self._watch or asyncio.create_task(self._retire_when_idle())
            asked = [asyncio.wrap_future(steward.ask(ask)) for ask in asks]
        except HeliostatError as error:
            return [error] * len(asks)
        return [await _valued(future) for future in asked]

    async def nudge(self) -> None:
        """As :meth:`Steward.nudge`."""
        if self._steward is not None:
            self._steward.nudge()

    async def status(self) -> Status | None:
        """As :meth:`Steward.status`."""
        return None if self._steward is None else await asyncio.to_thread(self._steward.status)

    async def process(self) -> int:
        """The process that it lives in, for operators."""
        return os.getpid()

    async def retire(self) -> None:
        """End this actor for good, unless somebody called meanwhile."""
        if self._is_idle():
            if self._steward is not None and self._log is not None:
                await asyncio.to_thread(self._steward.close)
                await asyncio.to_thread(self._log.close)
            ray.actor.exit_actor()

    def _opened(self) -> Steward:
        with self._opening:
            if self._steward is None:
                self._log = self._log or open_log(self._url)
                self._steward = Steward(self._log, self._experiment, make_searcher=self._searcher)
            return self._steward

    def _searcher(self, name: str) -> Searcher:
        found: Searcher = load(THINKERS, "ray")(name, f"{self._url}#{self._experiment}")
        return found

    def _is_idle(self) -> bool:
        return self._steward is None or time.monotonic() - self._steward.used > self._idle

    async def _retire_when_idle(self) -> None:
        while not self._is_idle():
            await asyncio.sleep(self._idle / 4)
        me = ray.get_runtime_context().current_actor
        me.retire.options(max_task_retries=0).remote()  # tried again, it would bring the actor back


class ClusterStewards:
    """The actors of one run log, as any process of the cluster calls them.

    A call outlives its actor: Ray sends it again to the restarted one, and where the actor went away for good
    a new one is made. That is safe, since an asking's key makes a repetition the same asking.

    Args:
        log: The run log; its address must be good on the machines where actors run.
        idle: Seconds without a call after which an actor goes away.
    """

    def __init__(self, log: RunLog, *, idle: float = IDLE) -> None:
        self._log, self._idle = log, idle
        self._lock = threading.Lock()
        self._actors: dict[int, Any] = {}
        self._lanes = Lanes(self._answers)

    async def ask(self, experiment: int, ask: Ask) -> Answer:
        """As :meth:`Steward.ask`."""
        return await self._lanes.ask(experiment, ask)

    def ask_and_wait(self, experiment: int, ask: Ask) -> Answer:
        """The same, for threads."""
        for attempt in range(TRIES):
            actor = self._actor(experiment)
            try:
                return _unwrapped(ray.get(actor.ask.remote([ask]))[0])
            except (RayActorError, StaleSession):
                self._forget(experiment, actor)
                time.sleep(0.1 * 2**attempt)
        raise _unreachable(experiment)

    def nudge(self, experiment: int) -> None:
        """Something was reported; an actor that is not there, or not known here, is not made for it."""
        actor = self._actors.get(experiment)
        if actor is not None:
            actor.nudge.remote()

    async def status(self, experiment: int) -> Status | None:
        """How its steward stands; ``None`` while there is none."""
        try:
            actor = await asyncio.to_thread(ray.get_actor, self._name(experiment), NAMESPACE)
            found: Status | None = await actor.status.remote()
        except (ValueError, RayError):
            return None
        return found

    async def statuses(self) -> list[Status]:
        """How all of the cluster's stand that are awake; without those that do not answer at once."""
        prefix = self._name_prefix
        named = await asyncio.to_thread(list_named_actors, all_namespaces=True)
        names = [item["name"] for item in named if item["namespace"] == NAMESPACE]
        ids = [int(name.removeprefix(prefix)) for name in names if name.startswith(prefix)]
        asked = [asyncio.wait_for(self.status(id), STATUS_PATIENCE) for id in sorted(ids)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, Status)]

    def close(self) -> None:
        """Forget the actors: they serve others, and go when nobody calls."""
        self._actors.clear()

    async def _answers(self, experiment: int, asks: Sequence[Ask]) -> list[Answer | HeliostatError]:
        found: dict[int, Answer | HeliostatError] = {}
        left = list(range(len(asks)))
        for attempt in range(TRIES):
            actor: Any = self._actors.get(experiment)
            if actor is None:
                actor = await asyncio.to_thread(self._actor, experiment)
            with contextlib.suppress(RayActorError):
                answers = await actor.ask.remote([asks[place] for place in left])
                found.update(
                    (place, answer)
                    for place, answer in zip(left, answers, strict=True)
                    if not isinstance(answer, StaleSession)
                )
            left = [place for place in left if place not in found]
            if not left:
                break
            self._forget(experiment, actor)  # it has gone, or is on its way out
            await asyncio.sleep(0.1 * 2**attempt)
        return [found.get(place) or _unreachable(experiment) for place in range(len(asks))]

    @property
    def _name_prefix(self) -> str:
        return f"experiment-{self._log.identity}-"

    def _name(self, experiment: int) -> str:
        return f"{self._name_prefix}{experiment}"

    def _actor(self, experiment: int) -> Any:
        with self._lock:
            if experiment not in self._actors:
                self._actors[experiment] = self._made(experiment)
            return self._actors[experiment]

    def _made(self, experiment: int) -> Any:
        self._log.experiment(experiment)  # NotFound is said here, not by an actor that dies of it
        options: dict[str, Any] = {}
        if self._log.url.startswith("sqlite"):  # a file of this machine
            here = ray.get_runtime_context().get_node_id()
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(here, soft=False)
        actor = ray.remote(ExperimentActor).options(
            name=self._name(experiment),
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=-1,
            num_cpus=0,
            enable_task_events=False,  # an event for each asking would cost the cluster a third of it
            **options,
        )
        return actor.remote(self._log.private_url, experiment, self._idle)

    def _forget(self, experiment: int, actor: Any) -> None:
        with self._lock:
            if self._actors.get(experiment) is actor:
                del self._actors[experiment]


async def _valued(answer: Awaitable[Answer]) -> Answer | HeliostatError:
    """Errors as values: Ray would wrap them."""
    try:
        return await answer
    except HeliostatError as error:
        return error


def _unwrapped(answer: Answer | HeliostatError) -> Answer:
    if isinstance(answer, HeliostatError):
        raise answer
    return answer


def _unreachable(experiment: int) -> StorageError:
    rule = f"the actor of experiment {experiment} does not stay alive"
    return StorageError(rule, remedy="Try again; if it lasts, look into Ray's logs.", code="HS-STORAGE-020")
