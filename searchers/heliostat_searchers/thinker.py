"""Where suggestions are computed: in a Ray actor, so that no thread of the driver waits for a model.

The actor holds no state that matters: each call brings the declaration, the history and the seed of its
generator, so a restarted actor answers the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from heliostat.engine import Engine
from heliostat.experiment import ExperimentSpec
from heliostat.registry import make_searcher
from heliostat.trial import History, Proposal

logger = logging.getLogger(__name__)

FALLBACK = "sobol"
"""Answers when the engine cannot: it needs no model and no history."""


class Thinking:
    """The body of the actor: one searcher, asked over and over.

    Args:
        searcher: Entry-point name.
    """

    def __init__(self, searcher: str) -> None:
        self._searcher = make_searcher(searcher)

    def think(self, spec: ExperimentSpec, history: History, count: int, rng: Any) -> list[Proposal]:
        """Proposals of the searcher."""
        return list(self._searcher.suggest(spec, history, count, rng))


class Thinker:
    """Asks an engine's searcher in another process and falls back to Sobol points when that fails.

    Args:
        engine: The experiment to think for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._actor: Any = None

    def think(self, count: int) -> Sequence[Proposal]:
        """Up to `count` proposals; blocks, so call it from a thread of your own."""
        import ray

        engine = self._engine
        history, rng = engine.history, engine.rng()
        try:
            if self._actor is None:
                actor = ray.remote(Thinking).options(num_cpus=0, max_restarts=-1, max_task_retries=3)
                self._actor = actor.remote(engine.spec.searcher)
            thought: list[Proposal] = ray.get(self._actor.think.remote(engine.spec, history, count, rng))
            return thought
        except Exception as error:
            logger.warning("the %s engine failed, Sobol points stand in: %s", engine.spec.searcher, error)
            why = f"stand-in: the {engine.spec.searcher} engine failed with {type(error).__name__}"
            proposals = make_searcher(FALLBACK).suggest(engine.spec, history, count, engine.rng())
            return [Proposal(item.assignments, item.task, why) for item in proposals]

    def close(self) -> None:
        """Let the actor go."""
        if self._actor is not None:
            import ray

            if ray.is_initialized():
                ray.kill(self._actor)
            self._actor = None
