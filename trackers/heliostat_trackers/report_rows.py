"""Frozen reports: kept, listed, read. Pages lie in a table of their own, so that lists stay quick."""

from __future__ import annotations

import base64
import hashlib

from sqlalchemy import Connection, func, insert, select

from heliostat.errors import InvalidValue, no_experiment, no_report
from heliostat.ports import ReportRecord
from heliostat.writes import LARGEST_FILE, REPORT_KINDS, FreezeReport
from heliostat_trackers.effects import Effect, inserted_id
from heliostat_trackers.tables import events, experiments, report_contents, reports


def freeze_report(connection: Connection, write: FreezeReport) -> Effect:
    """Keep a report.

    Raises:
        NotFound: No such experiment.
        InvalidValue: Its kind is unknown, or its page too large.
    """
    content = bytes(write.content)
    if len(content) > LARGEST_FILE:
        rule = f"must have at most {LARGEST_FILE // 2**20} MiB when compressed"
        remedy = "Keep it as a file."
        raise InvalidValue("content", rule, given=f"{len(content)} bytes", remedy=remedy)
    if write.kind not in REPORT_KINDS:
        rule = f"must be {' or '.join(REPORT_KINDS)}"
        raise InvalidValue("kind", rule, given=write.kind, remedy="Choose one.")
    _check_experiment(connection, write.experiment)
    row = {
        "experiment": write.experiment,
        "title": write.title,
        "comment": write.comment,
        "kind": write.kind,
        "user": write.user,
        "place": connection.scalar(select(func.max(events.c.seq))) or 0,
        "size": len(content),
        "md5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        "created": float(write.time),
    }
    id = inserted_id(connection.execute(insert(reports), row))
    connection.execute(insert(report_contents), {"report": id, "content": content})
    return Effect(write.experiment, body={"report": id, "title": write.title}, id=id)


def read_reports(connection: Connection, experiment: int) -> list[ReportRecord]:
    """An experiment's reports, oldest first.

    Raises:
        NotFound: No such experiment.
    """
    own = select(reports).where(reports.c.experiment == experiment).order_by(reports.c.id)
    rows = connection.execute(own).all()
    if not rows:
        _check_experiment(connection, experiment)
    return [ReportRecord(*row) for row in rows]


def read_report(connection: Connection, id: int) -> tuple[ReportRecord, bytes]:
    """One report and its page.

    Raises:
        NotFound: No such report.
    """
    row = connection.execute(select(reports).where(reports.c.id == id)).first()
    if row is None:
        raise no_report(id)
    content = connection.execute(select(report_contents.c.content).where(report_contents.c.report == id))
    return ReportRecord(*row), bytes(content.scalar_one())


def _check_experiment(connection: Connection, id: int) -> None:
    if connection.scalar(select(experiments.c.id).where(experiments.c.id == id)) is None:
        raise no_experiment(id)
