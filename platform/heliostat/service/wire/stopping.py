"""Whether a run that reports its curve should go on.

An experiment asks for it by ``early_stopping: "auto"``. The curves of completed runs are kept in each replica
and followed in the log, so that a verdict reads one run.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Protocol

from heliostat.metrics import Metrics
from heliostat.ports import ExperimentRecord, RunLog
from heliostat.registry import load
from heliostat.service.backend import Backend
from heliostat.service.calls import Call
from heliostat.service.wire.declarations import early_stopping
from heliostat.trial import Run

STOPPERS = "heliostat.stoppers"
CRITERION = "early_stopping"
"""Name of the reason, as SigOpt's clients get a mapping of reasons."""

KEPT = 64
"""Experiments whose curves a replica keeps."""

_PAGE = 1000


class Stopper(Protocol):
    """What an entry point of :data:`STOPPERS` makes of an experiment's metrics."""

    def learn(self, run: Run) -> None:
        """A run has ended."""
        ...

    def reason(self, run: Run) -> str:
        """Why an open run should be stopped; empty if it should go on."""
        ...


@dataclass
class _Judge:
    stopper: Stopper
    metrics: Metrics
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Judges:
    """The judges of the experiments that reported last; safe for use by many threads.

    Args:
        backend: Whose log.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._lock = threading.Lock()
        self._judges: OrderedDict[int, _Judge] = OrderedDict()

    def reason(self, record: ExperimentRecord, run: int) -> str:
        """Why a run should be stopped, by all that has ended until now."""
        judge = self._judge(record)
        with judge.lock:
            judge.seen = _follow(self._log, record.id, judge)
            return judge.stopper.reason(self._log.run(run))

    def _judge(self, record: ExperimentRecord) -> _Judge:
        metrics, method = record.spec.metrics, early_stopping(record.spec)
        with self._lock:
            known = self._judges.pop(record.id, None)
            if known is None or known.metrics != metrics:
                known = _Judge(load(STOPPERS, str(method))(metrics), metrics)
            self._judges[record.id] = known
            if len(self._judges) > KEPT:
                self._judges.popitem(last=False)
        return known


async def verdict(call: Call, run: Run | int, record: ExperimentRecord | None = None) -> dict[str, Any]:
    """``should_stop`` and ``stopping_reasons`` for a run that has just reported.

    Args:
        call: Whose report it was.
        run: The run, or its id where its experiment is at hand.
        record: Its experiment.
    """
    if record is None and isinstance(run, Run) and run.experiment is not None:
        record = await call.read(call.log.experiment, run.experiment)
    if record is None or early_stopping(record.spec) is None:
        return _answer("")
    id = run.id if isinstance(run, Run) else run
    return _answer(await call.read(call.backend.part(Judges).reason, record, id))


def _answer(reason: str) -> dict[str, Any]:
    return {"should_stop": bool(reason), "stopping_reasons": {CRITERION: reason} if reason else {}}


def _follow(log: RunLog, experiment: int, judge: _Judge) -> int:
    """Teach the judge what has ended since it looked last; the place it has seen."""
    after = judge.seen
    while events := log.events(after, _PAGE, experiment=experiment, kinds=("FinishRun",)):
        for event in events:
            if event.run is not None:
                judge.stopper.learn(log.run(event.run))
        after = events[-1].seq
    return after
