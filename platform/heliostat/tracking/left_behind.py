"""Runs whose process is gone without a word: killed, out of memory, a power cut.

Each tracked run says which process of which machine it lives in; whoever works there next ends what was left
behind as lost. Runs of experiments are the business of the engine, which tries them again.
"""

from __future__ import annotations

import time

from heliostat.errors import Conflict
from heliostat.ports import RunLog
from heliostat.processes import is_gone
from heliostat.query import RunQuery, read_where
from heliostat.trial import Failure, Run, State
from heliostat.writes import FinishRun

PROCESS = "process"
"""Where ``dev_metadata`` says it."""

_REASON = "its process ended without a word"


def end_left_behind(log: RunLog) -> list[Run]:
    """End as lost the open runs whose process was on this machine and is gone; the runs as they were."""
    query = RunQuery(read_where("state = active and experiment is missing"), archived=True)
    left = [run for run in log.query(query).runs if _is_left_behind(run)]
    for run in left:
        failure = Failure("lost", _REASON)
        try:
            now = time.time()
            log.apply(FinishRun(run.id, State.LOST, _REASON, time=now, failure=failure, attempt=run.attempt))
        except Conflict:  # it has ended meanwhile, which is as good
            continue
    return left


def _is_left_behind(run: Run) -> bool:
    return is_gone(run.dev_metadata.get(PROCESS))
