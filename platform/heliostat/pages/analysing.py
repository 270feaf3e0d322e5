"""The cards of the analysis page: some need a fit of the searcher's model, so they are kept for a while."""

from __future__ import annotations

import threading
import time

from heliostat.engine import read_sources, surrogate_of
from heliostat.figures import Card, analyses
from heliostat.pages.snapshots import MOST, Snapshot
from heliostat.service.backend import Backend

SHARE = 20.0
"""A model that took a second to fit serves for so many, however fast the log grows."""


class Analyses:
    """The latest cards of each experiment.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[int, float, tuple[Card, ...]]] = {}

    def get(self, found: Snapshot) -> tuple[Card, ...]:
        """The cards of a snapshot, or for costly ones of a snapshot a little older; one fit at a time."""
        with self._lock:
            id = found.record.id
            seq, until, cards = self._kept.get(id, (-1, 0.0, ()))
            if seq == found.seq or time.monotonic() < until:
                return cards
            began = time.monotonic()
            sources = read_sources(found.spec, self._log, id)
            model = surrogate_of(found.spec, found.runs, sources)
            made = analyses(found.spec, found.runs, surrogate=model, sources=sources, known=found.importances)
            ended = time.monotonic()
            if len(self._kept) >= MOST:
                self._kept.pop(next(iter(self._kept)))
            self._kept[id] = (found.seq, ended + SHARE * (ended - began), made)
            return made
