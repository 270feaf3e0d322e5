"""Runs of trials that Ray Tune does not know any more.

A driver that is killed loses the trials it began after its last snapshot; the restored one proposes others in
their place, under other ids.
"""

from __future__ import annotations

import time

from heliostat.errors import Conflict
from heliostat.ports import RunLog
from heliostat.query import And, Filter, RunQuery
from heliostat.trial import Failure, State
from heliostat.writes import FinishRun

_REASON = "its driver was killed before Ray Tune had saved the trial"


def end_forgotten(log: RunLog, folder: str, project: str) -> None:
    """End as lost what is still open of an experiment that is over.

    Args:
        log: Where the runs are.
        folder: The experiment's, as the runs tell it.
        project: The runs' project.
    """
    is_open = And((Filter("state", "==", "active"), Filter("metadata.folder", "==", folder)))
    for run in log.query(RunQuery(is_open, archived=True), project=project).runs:
        failure = Failure("lost", _REASON)
        try:
            now = time.time()
            log.apply(FinishRun(run.id, State.LOST, _REASON, time=now, failure=failure, attempt=run.attempt))
        except Conflict:  # it has ended meanwhile, which is as good
            continue
