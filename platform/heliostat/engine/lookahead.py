"""Proposals made ahead of need, so that handing one out costs milliseconds."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from heliostat.engine.question import Offer, Question
from heliostat.trial import Proposal

logger = logging.getLogger("heliostat")

Think = Callable[[Question, int], Sequence[Proposal]]

RESULTS_PER_LATE = 50
"""A ready proposal may have missed one result in so many: what 2 % of the results change of a model is less
than what its next result will."""


def lateness(ended: int) -> int:
    """How many results a proposal may have missed when so many are known; at least 1."""
    return max(1, ended // RESULTS_PER_LATE)


class LookAhead:
    """A few ready proposals, computed in a thread while the user's code runs.

    Not safe for several threads that take; the engine lets one at a time.

    Args:
        ask: The question of this moment.
        think: Its answer.
    """

    def __init__(self, ask: Callable[[], Question], think: Think) -> None:
        self._ask, self._think = ask, think
        self._ready: deque[tuple[Question, Offer]] = deque()
        self._pool = ThreadPoolExecutor(1, "heliostat-think")
        self._thinking: Future[list[tuple[Question, Offer]]] | None = None

    def take(self, count: int) -> list[Offer]:
        """`count` proposals: ready ones if fresh enough, else new ones; fewer if there are no more."""
        question = self._ask()
        if len(self._fresh(question)) < count and self._thinking is not None:
            self._settle()
        taken = [offer for _, offer in self._fresh(question)[:count]]
        if len(taken) == count:
            for _ in taken:
                self._ready.popleft()
            return taken
        self._ready.clear()  # one batch keeps its points apart, two do not
        return [offer for _, offer in answered(question, count, self._think)]

    @property
    def is_used(self) -> bool:
        """Whether anything is ready or being thought of."""
        return bool(self._ready) or self._thinking is not None

    @property
    def ready(self) -> int:
        """How many proposals could be taken at once."""
        return len(self._fresh(self._ask()))

    @property
    def held(self) -> int:
        """About how many proposals wait, those too old included; waits for nobody, so any thread may ask."""
        thinking = self._thinking
        is_made = thinking is not None and thinking.done() and thinking.exception() is None
        return len(thinking.result()) if thinking is not None and is_made else len(self._ready)

    def refill(self, most: int) -> None:
        """Begin to think ahead, unless enough is ready: as many as can be used before they are too old."""
        self._settle(wait=False)
        question = self._ask()
        wanted = min(most, 1 + lateness(question.ended))
        if self._thinking is None and len(self._fresh(question)) < wanted:
            self._thinking = self._pool.submit(answered, question, wanted, self._think)

    def _settle(self, *, wait: bool = True) -> None:
        """Take over what the thread has made, waiting for it if asked."""
        if self._thinking is None or not (wait or self._thinking.done()):
            return
        try:
            self._ready = deque(self._thinking.result())
        except Exception:  # the next one to ask tries again, and is told
            logger.warning("thinking ahead failed", exc_info=True)
        self._thinking = None

    def _fresh(self, question: Question) -> list[tuple[Question, Offer]]:
        """Drop what is out of date; the rest."""
        self._settle(wait=False)
        kept = [(asked, offer) for asked, offer in self._ready if _holds(asked, offer, question)]
        self._ready = deque(kept)
        return kept


def answered(question: Question, count: int, think: Think) -> list[tuple[Question, Offer]]:
    """A question's answers, each with the mark that tells how it was come by."""
    proposals = think(question, count)
    return [
        (question, Offer(proposal, mark=question.mark(place, count)))
        for place, proposal in enumerate(proposals)
    ]


def _holds(asked: Question, offer: Offer, now: Question) -> bool:
    """Whether an answer to an earlier question may still be handed out."""
    if asked.spec is not now.spec or asked.changed != now.changed:
        return False
    if now.ended - asked.ended > lateness(now.ended):
        return False
    since = now.history.runs[len(asked.history.runs) :]
    return all(dict(run.assignments) != dict(offer.proposal.assignments) for run in since)
