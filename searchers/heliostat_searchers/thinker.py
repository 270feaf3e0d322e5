"""Where suggestions are computed: in a Ray actor, so that no thread of the driver waits for a model.

The actor holds no state that matters. It keeps the runs it was told of, so that each call brings only what is
new; an actor that was restarted says so, is told everything once more, and answers the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from heliostat.engine import Question
from heliostat.experiment import ExperimentSpec
from heliostat.registry import make_searcher
from heliostat.trial import History, Proposal, Run

logger = logging.getLogger(__name__)

FALLBACK = "sobol"
"""Answers when the engine cannot: it needs no model and no history."""


@dataclass(frozen=True)
class News:
    """What an actor has to learn before it answers.

    Args:
        base: What it must know already, by version; 0: forget everything.
        version: What it knows afterwards.
        changed: Runs that are new or have changed.
        gone: Ids of runs that are not to be known any more.
        sources: Transfer sources; ``None`` if they are as before.
    """

    base: int
    version: int
    changed: tuple[Run, ...] = ()
    gone: tuple[int, ...] = ()
    sources: tuple[Run, ...] | None = None


class Thinking:
    """The body of the actor: one searcher, asked over and over.

    Args:
        searcher: Entry-point name.
    """

    def __init__(self, searcher: str) -> None:
        self._searcher = make_searcher(searcher)
        self._version = 0
        self._runs: dict[int, Run] = {}
        self._sources: tuple[Run, ...] = ()

    def think(
        self, spec: ExperimentSpec, news: News, count: int, rng: np.random.Generator
    ) -> list[Proposal] | None:
        """Proposals of the searcher; ``None`` if the news build on what this actor does not know."""
        if news.base == 0:
            self._runs, self._sources = {}, ()
        elif news.base != self._version:
            return None
        self._runs.update({run.id: run for run in news.changed})
        for run in news.gone:
            self._runs.pop(run, None)
        if news.sources is not None:
            self._sources = news.sources
        self._version = news.version
        runs = sorted(self._runs.values(), key=lambda run: run.number)
        return list(self._searcher.suggest(spec, History(tuple(runs), self._sources), count, rng))


class Briefing:
    """What an actor has been told, and what it must be told next.

    Attributes:
        told: Runs told so far, those that were told again counted again.
    """

    def __init__(self) -> None:
        self._version = 0
        self._known: dict[int, Run] = {}
        self._sources: tuple[Run, ...] | None = None
        self.told = 0

    def forget(self) -> None:
        """The next news tell everything."""
        self._version, self._known, self._sources = 0, {}, None

    def news(self, history: History) -> News:
        """What is new; a run that is the same object as the last time has not changed."""
        runs = {run.id: run for run in history.runs}
        changed = tuple(run for run in history.runs if self._known.get(run.id) is not run)
        gone = tuple(id for id in self._known if id not in runs)
        sources = None if self._sources is history.sources else history.sources
        found = News(self._version, self._version + 1, changed, gone, sources)
        self._version, self._known, self._sources = found.version, runs, history.sources
        self.told += len(changed)
        return found


class Link(Protocol):
    """The way to a :class:`Thinking` in another process."""

    def think(
        self, spec: ExperimentSpec, news: News, count: int, rng: np.random.Generator
    ) -> list[Proposal] | None:
        """As :meth:`Thinking.think`; blocks."""
        ...

    def close(self) -> None:
        """Let go of what belongs to this process alone."""
        ...


class OwnActor:
    """A thinking actor that serves one thinker and goes with it.

    Args:
        searcher: Entry-point name.
    """

    def __init__(self, searcher: str) -> None:
        self._searcher = searcher
        self._actor: Any = None

    def think(
        self, spec: ExperimentSpec, news: News, count: int, rng: np.random.Generator
    ) -> list[Proposal] | None:
        """As :meth:`Thinking.think`."""
        import ray

        if self._actor is None:
            actor = ray.remote(Thinking).options(num_cpus=0, max_restarts=-1, max_task_retries=3)
            self._actor = actor.remote(self._searcher)
        thought: list[Proposal] | None = ray.get(self._actor.think.remote(spec, news, count, rng))
        return thought

    def close(self) -> None:
        """Let the actor go."""
        if self._actor is not None:
            import ray

            if ray.is_initialized():
                ray.kill(self._actor)
            self._actor = None


class Thinker:
    """Asks a searcher in another process and falls back to Sobol points when that fails.

    Args:
        searcher: Entry-point name.
        link: The way there; by default an actor of its own.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset()
    """The searcher's own were looked at when the experiment was created."""

    def __init__(self, searcher: str, link: Link | None = None) -> None:
        self._searcher = searcher
        self._link: Link = link or OwnActor(searcher)
        self.briefing = Briefing()

    def think(self, question: Question, count: int) -> Sequence[Proposal]:
        """Up to `count` proposals; blocks, so call it from a thread of your own."""
        return self.suggest(question.spec, question.history, count, question.rng())

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """The same, as a searcher is asked."""
        try:
            return self._asked(spec, history, count, rng)
        except Exception as error:
            self.briefing.forget()
            logger.warning("the %s engine failed, Sobol points stand in: %s", self._searcher, error)
            why = f"stand-in: the {self._searcher} engine failed with {type(error).__name__}"
            proposals = make_searcher(FALLBACK).suggest(spec, history, count, rng)
            return [Proposal(item.assignments, item.task, why) for item in proposals]

    def _asked(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> list[Proposal]:
        for _ in range(2):
            thought = self._link.think(spec, self.briefing.news(history), count, rng)
            if thought is not None:
                return thought
            self.briefing.forget()  # it was restarted
        raise RuntimeError("its actor forgot what it had just been told")

    def close(self) -> None:
        """Let the actor go."""
        self._link.close()
        self.briefing.forget()
