"""Reports that were frozen: made of an experiment as it was, kept in the log, shared without the runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.errors import NotFound, no_report
from heliostat.ports import ReportRecord
from heliostat.reports import freeze
from heliostat.service.calls import Call, SharedCall, WriteCall, reply
from heliostat.service.openapi import takes
from heliostat.service.wire.fields import id_of, text
from heliostat.service.wire.paging import page
from heliostat.service.wire.stewards import record_of
from heliostat.writes import REPORT_KINDS

router = APIRouter(tags=["experiments"])

_NEW = takes({"title": "Ready for production?", "comment": "Yes, from Monday on.", "kind": "report"})


@router.post("/experiments/{experiment}/reports", openapi_extra=_NEW)
async def create(call: WriteCall, experiment: str) -> Response:
    """Freeze a report of the experiment as it is now; `kind` is `report` or `metrics` (for stakeholders)."""
    record, body = await record_of(call, experiment), await call.body()
    schema.only_keys(body, "the report", ("title", "comment", "kind"))
    kind = schema.choice(body.get("kind", "report"), "kind", REPORT_KINDS)
    title = text(body.get("title") or "", "title", longest=200)
    comment = text(body.get("comment") or "", "comment", longest=20_000)
    id = await call.read(
        freeze,
        call.log,
        record.id,
        kind=kind,
        title=title or None,
        comment=comment,
        user=call.caller.user,
        key=call.key("report"),
    )
    made, _ = await call.read(call.log.report, id)
    return reply(report_object(made))


@router.get("/experiments/{experiment}/reports")
async def fetch_all(call: SharedCall, experiment: str) -> Response:
    """The frozen reports of an experiment."""
    record = await record_of(call, experiment)
    return reply(page(await call.read(call.log.reports, record.id), call, report_object))


@router.get("/reports/{report}")
async def fetch(call: SharedCall, report: str) -> Response:
    """A frozen report's facts; its page is at `/reports/{report}`."""
    record, _ = await known(call, report)
    return reply(report_object(record))


async def known(call: Call, report: str) -> tuple[ReportRecord, bytes]:
    """A frozen report and its compressed page, for those who may see it.

    Raises:
        NotFound: There is none, or not for this caller.
    """
    id = id_of(report, "report")
    found = await call.read(call.log.report, id)
    if call.caller.is_guest and call.caller.report != id:
        try:
            call.caller.check_experiment(await call.read(call.log.experiment, found[0].experiment))
        except NotFound:
            raise no_report(id) from None
    return found


def report_object(record: ReportRecord) -> dict[str, Any]:
    """A ``frozen_report``."""
    return {
        "object": "frozen_report",
        "id": str(record.id),
        "experiment": str(record.experiment),
        "title": record.title,
        "comment": record.comment,
        "kind": record.kind,
        "user": record.user or None,
        "created": int(record.created),
        "place": record.place,
        "size": record.size,
    }
