"""The run log of a whole Ray cluster: one writer actor on the head node, no shared disk and no database.

``ray:///folder/heliostat.db`` names a SQLite file on the head node. Whoever opens it, on whatever node,
talks to the one actor that holds the file: the first one starts it, later ones find it by name. Writes are
queued here, sent many to a call and committed many to a disk flush; what was acknowledged is on the head
node's disk.

::

    worker ── RayRunLog ─┐  batches, in order, repeated until they are answered
    worker ── RayRunLog ─┼──▶ HeadLog (actor) ──▶ SqlRunLog ──▶ heliostat.db
    driver ── RayRunLog ─┘    on the head node    group commit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heliostat_trackers.head.client import RayRunLog


def open_log(url: str) -> RayRunLog:
    """The run log at ``ray://path``, a file on the head node of the cluster that this process belongs to.

    Raises:
        StorageError: This process belongs to no cluster, or the head node cannot open the file.
    """
    from heliostat_trackers.head.client import RayRunLog

    return RayRunLog(url)


def stop(url: str) -> None:
    """End the actor of a log, to move its file or to upgrade Heliostat; nothing acknowledged is lost.

    A client that is still open starts a new one with its next write.
    """
    from heliostat_trackers.head.link import Link
    from heliostat_trackers.head.place import log_place

    Link(log_place(url)).stop()
