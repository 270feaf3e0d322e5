"""Who hands out the suggestions of an experiment that many share, whichever door they come through.

::

    Tune sweep, Python loop, HTTP replica ──ask──▶ steward ──▶ run log
                   └────────────── reports ──────────────────────▲

A :class:`Steward` in this process or, on a cluster, an actor in a process of its own
(:mod:`heliostat.steering.cluster`). Nothing here knows HTTP.
"""

from heliostat.steering.doors import Stewards, stewards_of
from heliostat.steering.ending import Ending, end, given_up
from heliostat.steering.local import LocalStewards
from heliostat.steering.requests import Answer, Ask, Status
from heliostat.steering.steward import Steward

__all__ = [
    "Answer",
    "Ask",
    "Ending",
    "LocalStewards",
    "Status",
    "Steward",
    "Stewards",
    "end",
    "given_up",
    "stewards_of",
]
