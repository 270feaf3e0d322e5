"""Searchers of many experiments in a few processes of a cluster.

An experiment's actor hands out in milliseconds; a fit takes a second of a core and much of its memory.
So fits share as many detached actors as the cluster has cores for, however many experiments there are, and an
experiment always asks the same one, which keeps what it was told.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import Any

import numpy as np
import ray

from heliostat.experiment import ExperimentSpec
from heliostat.ports import Searcher
from heliostat.registry import SEARCHERS, load, make_searcher
from heliostat.trial import Proposal
from heliostat_searchers.thinker import News, Thinker, Thinking

NAMESPACE = "heliostat"
LEAST, MOST = 2, 16
"""Processes: more than one, so that one slow fit does not hold up everybody."""

PLACES = 64
"""Experiments that a process remembers, some MB each; one that was forgotten is told everything again."""


class ThinkingRoom:
    """The body of a shared actor: a :class:`Thinking` for each of the experiments that asked last."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[str, str], Thinking] = OrderedDict()

    def think(
        self,
        place: str,
        searcher: str,
        spec: ExperimentSpec,
        news: News,
        count: int,
        rng: np.random.Generator,
    ) -> list[Proposal] | None:
        """As :meth:`Thinking.think`, for the experiment at `place`."""
        thinking = self._places.pop((place, searcher), None) or Thinking(searcher)
        self._places[place, searcher] = thinking
        if len(self._places) > PLACES:
            self._places.popitem(last=False)
        return thinking.think(spec, news, count, rng)


class SharedActor:
    """The way to the shared actor of an experiment, which outlives whoever asks.

    Args:
        searcher: Entry-point name.
        place: The experiment, by a text that no other has.
    """

    def __init__(self, searcher: str, place: str) -> None:
        self._searcher, self._place = searcher, place
        self._actor: Any = None

    def think(
        self, spec: ExperimentSpec, news: News, count: int, rng: np.random.Generator
    ) -> list[Proposal] | None:
        """As :meth:`Thinking.think`."""
        if self._actor is None:
            self._actor = _room(zlib.crc32(self._place.encode()))
        asked = self._actor.think.remote(self._place, self._searcher, spec, news, count, rng)
        thought: list[Proposal] | None = ray.get(asked)
        return thought

    def close(self) -> None:
        """Forget the actor."""
        self._actor = None


def shared_thinker(searcher: str, place: str) -> Searcher:
    """What an experiment's actor proposes with: the searcher, thinking in a shared process.

    A searcher that says ``is_instant`` has no model to fit: it answers faster than another process could.

    Args:
        searcher: Entry-point name.
        place: The experiment, by a text that no other has.
    """
    if getattr(load(SEARCHERS, searcher), "is_instant", False):
        return make_searcher(searcher)
    return Thinker(searcher, SharedActor(searcher, place))


def _room(number: int) -> Any:
    cores = int(ray.cluster_resources().get("CPU", 1))
    rooms = min(max(LEAST, cores // 2), MOST)
    options = {"name": f"thinking-room-{number % rooms}", "namespace": NAMESPACE, "lifetime": "detached"}
    actor = ray.remote(ThinkingRoom).options(
        get_if_exists=True, max_restarts=-1, max_task_retries=3, num_cpus=0, **options
    )
    return actor.remote()
