"""The mirror's process: takes its task and then orders, one a line, and ends when there can be no more.

The first line is the task as JSON (an address may hold a password, which must not stand among a process's
arguments); then ``flush N`` is answered with ``flushed N`` once all that the log held is mirrored.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from heliostat.errors import HeliostatError
from heliostat_trackers.mlflow.follower import Progress
from heliostat_trackers.mlflow.session import Session

_NICENESS = 10
"""The trials come first."""


@dataclass
class Orders:
    """What the program has told its mirror."""

    flushes: SimpleQueue[int] = field(default_factory=SimpleQueue)
    end: threading.Event = field(default_factory=threading.Event)
    news: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Take orders until there can be no more; runs in a thread of its own."""
        for line in sys.stdin:
            word, _, rest = line.partition(" ")
            if word == "flush":
                self.flushes.put(int(rest))
                self.news.set()
        self.end.set()
        self.news.set()

    def next_flush(self) -> int | None:
        """The newest of the waiting orders to flush."""
        newest = None
        with contextlib.suppress(Empty):
            while True:
                newest = self.flushes.get_nowait()
        return newest


def main() -> int:
    """Mirror until the program has no more orders, or is gone."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    first = sys.stdin.readline()
    if not first:
        return 1
    orders = Orders()
    threading.Thread(target=orders.listen, name="heliostat-orders", daemon=True).start()
    try:
        with _session(json.loads(first), orders) as session:
            _work(session, orders)
    except HeliostatError as error:
        _say(f"failed {error}")
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _session(task: dict[str, Any], orders: Orders) -> Session:
    return Session(
        task["log"],
        task["uri"],
        follow=True,
        stop=orders.end,
        project=task["project"],
        patience=task["patience"],
        report=_Teller(),
    )


def _work(session: Session, orders: Orders) -> None:
    while True:
        is_last = orders.end.is_set()
        orders.news.clear()
        flush = orders.next_flush()
        session.catch_up()
        if flush is not None or is_last:
            session.finish()
            _say(f"flushed {flush or 0}")
        if is_last:
            return
        orders.news.wait(session.pause)


class _Teller:
    """Says when a wait begins and ends."""

    def __init__(self) -> None:
        self._told = ""

    def __call__(self, progress: Progress) -> None:
        if bool(progress.waits_for) != bool(self._told):
            _say(f"waits {' '.join(progress.waits_for.split())}")
        self._told = progress.waits_for


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the program is gone; the mirror goes on with what it has
        print(" ".join(line.split("\n")), flush=True)


if __name__ == "__main__":
    sys.exit(main())
