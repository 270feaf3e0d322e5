"""The user's own points: they wait in the log and are handed out before the searcher is asked."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from heliostat.engine.offers import labelled
from heliostat.engine.question import Label, Offer
from heliostat.errors import Conflict, StaleSession
from heliostat.ports import RunLog, SuggestionRecord
from heliostat.trial import Proposal, Run

logger = logging.getLogger("heliostat")


class Queue:
    """An experiment's queued suggestions, oldest first, as last read.

    The log decides who gets one: the run that takes it up and the end of its waiting are one write.

    Args:
        log: Where they wait.
        experiment: Whose they are.
    """

    def __init__(self, log: RunLog, experiment: int) -> None:
        self._log, self._experiment = log, experiment
        self._waiting: deque[SuggestionRecord] = deque()
        self.read()

    def read(self) -> None:
        """Read the log again."""
        self._waiting = deque(queued(self._log, self._experiment))

    def __len__(self) -> int:
        return len(self._waiting)

    def pop(self) -> SuggestionRecord:
        """The next one; it is for the caller to make a run of it."""
        return self._waiting.popleft()

    def put_back(self, record: SuggestionRecord) -> None:
        """No run was made of it after all."""
        self._waiting.appendleft(record)


def queued(log: RunLog, experiment: int) -> list[SuggestionRecord]:
    """The suggestions that wait in an experiment's queue, oldest first."""
    return [record for record in log.suggestions(experiment) if record.state == "queued"]


def taken_up(
    queue: Queue,
    count: int,
    labels: Sequence[Label],
    admit: Callable[[Sequence[Offer]], list[Run]],
    may_go_on: Callable[[], bool],
) -> list[Run]:
    """Up to `count` runs of queued points, next ones first.

    Args:
        queue: Where they wait.
        count: How many.
        labels: What the asker wants on each run; the rest go without.
        admit: Makes a run of an offer.
        may_go_on: Whether the budget admits one more.

    Raises:
        StaleSession: A newer session steers the experiment.
    """
    made: list[Run] = []
    while queue and len(made) < count and may_go_on():
        record = queue.pop()
        proposal = Proposal(record.assignments, record.task, record.why or "queued by the user")
        offer = Offer(proposal, record.origin, suggestion=record.id)
        try:
            made += admit(labelled([offer], labels[len(made) :]))
        except StaleSession:
            raise
        except Conflict:  # deleted meanwhile, or in another's hands
            logger.info("queued point %d is gone", record.id)
        except BaseException:
            queue.put_back(record)
            raise
    return made
