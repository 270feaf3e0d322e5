"""How a process comes to an experiment: as the one that steers it, or as a guest beside that one.

The one that steers holds the newest session; what an older one still tries to write is refused. Guests hold
none: they read what others do and add runs of their own. Each run of either is made only as the next after
the last that its maker knew of, so that together they keep to the budget and see each other's open runs.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from heliostat.ports import RunLog
from heliostat.processes import is_gone, this_process
from heliostat.trial import Run
from heliostat.writes import OpenSession

GUEST = "guest"
"""Where a guest's run says in ``sys_metadata`` which process made it."""


def entered(log: RunLog, experiment: int, now: float, *, is_guest: bool) -> tuple[int | None, int]:
    """The session's epoch, ``None`` for a guest, and the place in the log from which on to follow others."""
    if is_guest:
        return None, log.last_event(experiment)
    reply = log.apply(OpenSession(experiment, f"{socket.gethostname()}:{os.getpid()}", time=now))
    return reply.epoch, reply.seq


def label(*, is_guest: bool) -> dict[str, Any]:
    """What the runs that this process makes say of it."""
    return {GUEST: this_process()} if is_guest else {}


def is_others(run: Run, *, is_guest: bool) -> bool:
    """Whether an open run may be in the hands of another process; else it is to be tried again here.

    A guest's is until its process is gone from this machine; whoever comes first then takes it, and what the
    one that steers left open is for its successor alone.
    """
    maker = run.sys_metadata.get(GUEST)
    return is_guest if maker is None else not is_gone(maker)
