"""Making runs, and finding them again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from heliostat.ports import RunLog
from heliostat.processes import this_process
from heliostat.tracking import given
from heliostat.tracking.capture.background import once
from heliostat.tracking.capture.machine import user
from heliostat.tracking.capture.parts import Parts, read_parts
from heliostat.tracking.capture.session import CaptureSession
from heliostat.tracking.farewell import end_with_process
from heliostat.tracking.left_behind import PROCESS, end_left_behind
from heliostat.tracking.projects import log_of, present_project
from heliostat.tracking.run_context import RunContext
from heliostat.trial import Run
from heliostat.writes import CreateRun, StartRun, UpdateRun

default_params: dict[str, Any] = {}
"""What was set on the module's ``params``: new runs begin with it."""


def create_run(
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    project: str | None = None,
    log: RunLog | str | Path | None = None,
    capture: Parts = None,
    tags: Iterable[str] = (),
    origin: str = "user",
) -> RunContext:
    """A new run, durable when this returns; as a context manager it ends.

    Args:
        name: For people; by default the project and the time.
        metadata: Facts by key.
        project: By default what ``set_project`` said, ``$HELIOSTAT_PROJECT``, or the folder's name.
        log: An open log, or its path or URL; by default ``$HELIOSTAT_LOG``, or ``heliostat.db`` here.
        capture: What to record without being asked, such as ``"git,host"``, ``"-output"`` or ``"none"``; see
            :data:`~heliostat.tracking.capture.parts.PARTS`. By default ``$HELIOSTAT_CAPTURE``, or all.
        tags: Names.
        origin: Who proposed it: ``user``, or an optimizer's name.

    Raises:
        InvalidValue: A value breaks a rule.
        StorageError: The log cannot be opened or written.
    """
    session = CaptureSession(read_parts(capture))
    labels = [given.name(tag, "tag") for tag in tags]
    write = CreateRun(
        None,
        given.facts(default_params, "params"),
        time=time.time(),
        project=present_project(project),
        name=name or "",
        origin=given.name(origin, "origin"),
        metadata=given.facts(metadata or {}, "metadata"),
    )
    run = open_run(write, session, log=log)
    if labels:
        run.add_tags(*labels)
    return run


def open_run(
    write: CreateRun, session: CaptureSession, *, log: RunLog | str | Path | None = None
) -> RunContext:
    """The run that this write makes, with its capture begun; it ends with this process at the latest."""
    title = f"{write.project} {datetime.fromtimestamp(write.time):%Y-%m-%d %H:%M:%S}"
    name = given.name(write.name or title, "name")
    who = user() if "host" in session.parts else ""
    opened = log_of(log)
    reply = opened.apply(replace(write, name=name, user=who))
    known = Run(reply.run or 0, project=write.project, name=name, assignments=write.assignments)
    run = RunContext(opened, known, capture=session, is_own=True)
    opened.submit(StartRun(run.id, time=write.time, attempt=run.attempt))
    if "host" in session.parts:
        opened.submit(UpdateRun(run.id, time=write.time, dev_metadata={PROCESS: this_process()}))
        once(f"what was left behind in {opened.url}", lambda: end_left_behind(opened))
    end_with_process(run)
    session.begin(run)
    return run


def get_run(id: int | str, *, log: RunLog | str | Path | None = None) -> RunContext:
    """A run that is in the log already, to read it or to add to it, such as metrics with a role.

    Raises:
        NotFound: No such run.
    """
    opened = log_of(log)
    run = opened.run(int(id))
    fixed: list[str] = []
    if run.experiment is not None:
        spec = opened.experiment(run.experiment).spec
        fixed = [item.name for item in spec.space.dimensions]
    return RunContext(opened, run, fixed=fixed)


def archive_run(run_id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Hide a run from lists."""
    log_of(log).apply(UpdateRun(int(run_id), time=time.time(), archived=True))


def unarchive_run(run_id: int | str, *, log: RunLog | str | Path | None = None) -> None:
    """Show a run in lists again."""
    log_of(log).apply(UpdateRun(int(run_id), time=time.time(), archived=False))
