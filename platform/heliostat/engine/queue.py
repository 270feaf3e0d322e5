"""The user's own points: they wait in the log and are handed out before the searcher is asked."""

from __future__ import annotations

from collections import deque

from heliostat.ports import RunLog, SuggestionRecord


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
