"""What pages show of an experiment, kept until the log grows: reading all runs is the costly part."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from heliostat.analysis import Importance, importances
from heliostat.engine import is_noisy
from heliostat.experiment import ExperimentSpec
from heliostat.ports import ExperimentRecord
from heliostat.report.overview import Overview, overview_of
from heliostat.service.backend import Backend
from heliostat.trial import Run

MOST = 16
"""Experiments whose runs a process keeps."""

SHARE = 10.0
"""A snapshot that took a second to make serves for so many: pages must not use up a processor."""


@dataclass(frozen=True)
class Snapshot:
    """An experiment at a place of the log.

    Args:
        seq: The place.
        record: The experiment.
        runs: Its runs with their curves, without archived ones.
    """

    seq: int
    record: ExperimentRecord
    runs: Sequence[Run]

    @property
    def spec(self) -> ExperimentSpec:
        """Its declaration."""
        return self.record.spec

    def make(self) -> None:
        """Find out now what the first page prints, which takes long."""
        self.is_noisy, [card.version for card in self.overview.cards]  # kept by each

    @cached_property
    def importances(self) -> list[Importance]:
        """What matters for what; both pages of figures show it."""
        return importances(self.spec, self.runs)

    @cached_property
    def is_noisy(self) -> bool:
        """Whether the recommended point may be another than the best seen."""
        return is_noisy(self.spec, self.runs)

    @cached_property
    def overview(self) -> Overview:
        """What its first page prints."""
        return overview_of(self.spec, self.runs, self.importances)


class Snapshots:
    """The snapshots of a process, at most :data:`MOST`.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._lock = threading.Lock()
        self._making: dict[int, threading.Lock] = {}
        self._kept: OrderedDict[int, tuple[Snapshot, float]] = OrderedDict()

    def has(self, id: int) -> bool:
        """Whether there is one, however old."""
        return id in self._kept

    def get(self, id: int) -> Snapshot:
        """The experiment as it is, or for big ones as it was a little ago; may wait for the log.

        Raises:
            NotFound: There is none.
        """
        with self._lock:
            making = self._making.setdefault(id, threading.Lock())
        with making:
            kept, until = self._kept.get(id, (None, 0.0))
            if kept is not None and (
                time.monotonic() < until or not self._log.events(kept.seq, 1, experiment=id)
            ):
                return kept
            return self._read(id)

    def _read(self, id: int) -> Snapshot:
        began = time.monotonic()
        seq = self._log.last_event()
        record = self._log.experiment(id)
        runs = tuple(run for run in self._log.runs(id, curves=True) if not run.archived)
        found = Snapshot(seq, record, runs)
        found.make()
        ended = time.monotonic()
        with self._lock:
            self._kept[id] = (found, ended + SHARE * (ended - began) if ended - began > 0.5 else ended)
            self._kept.move_to_end(id)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return found
