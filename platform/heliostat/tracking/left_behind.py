"""Runs whose process is gone without a word: killed, out of memory, a power cut.

Each tracked run says which process of which machine it lives in; whoever works there next ends what was left
behind as lost. Runs of experiments are the business of the engine, which tries them again.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from heliostat.errors import Conflict
from heliostat.ports import RunLog
from heliostat.query import RunQuery, read_where
from heliostat.trial import Failure, Run, State
from heliostat.writes import FinishRun

PROCESS = "process"
"""Where ``dev_metadata`` says it: machine, process id, and when the process began (in the kernel's ticks)."""

_REASON = "its process ended without a word"


def this_process() -> list[str | int]:
    """What identifies this process for as long as its machine is up."""
    return [socket.gethostname(), os.getpid(), _beginning(os.getpid())]


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
    said = run.dev_metadata.get(PROCESS)
    if not isinstance(said, (list, tuple)) or len(said) != 3 or said[0] != socket.gethostname():
        return False
    return bool(_beginning(int(said[1])) != said[2])


def _beginning(process: int) -> int:
    """When a process began; 0 if there is none, -1 where the system does not say."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        # The name in parentheses may hold anything. The state follows (Z and X: dead), 19 later the start.
        fields = stat.rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except FileNotFoundError:
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return 0
    except OSError:
        return -1
    return -1
