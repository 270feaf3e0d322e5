"""The project that new runs and experiments belong to."""

from __future__ import annotations

import time
from pathlib import Path

from heliostat.ports import ProjectRecord, RunLog
from heliostat.registry import default_project, shared_log
from heliostat.tracking import given
from heliostat.writes import SettleProject

_chosen: str | None = None


def set_project(project: str) -> None:
    """Let new runs and experiments of this process belong to this project; open ones stay where they are."""
    global _chosen  # noqa: PLW0603  # that is what it is for
    _chosen = given.project(project)


def present_project(project: str | None = None) -> str:
    """The given one, else what :func:`set_project` said, else ``$HELIOSTAT_PROJECT`` or the folder's name."""
    return given.project(project) if project is not None else _chosen or default_project()


def create_project(
    id_: str | None = None, name: str | None = None, *, log: RunLog | str | Path | None = None
) -> ProjectRecord:
    """Bring a project into being, or rename it, and let new runs belong to it.

    Args:
        id_: Letters, digits, ``-``, ``_`` and ``.``; by default the present project.
        name: For people.
        log: Where; by default this folder's log.
    """
    if id_ is not None:
        set_project(id_)
    project = present_project()
    opened = log_of(log)
    title = None if name is None else given.name(name, "name")
    opened.apply(SettleProject(project, time=time.time(), name=title))
    return next(record for record in opened.projects() if record.id == project)


def log_of(log: RunLog | str | Path | None = None) -> RunLog:
    """An open log as it is; for a path, a URL or nothing, this process's shared one."""
    return shared_log(log) if log is None or isinstance(log, (str, Path)) else log
