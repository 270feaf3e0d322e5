"""Frozen reports: the list on the experiment's page, and each as a page of its own."""

from __future__ import annotations

import gzip

from fastapi import APIRouter, Response

from heliostat.pages.experiments import about
from heliostat.pages.news import news
from heliostat.pages.visits import PageRoute, Visit, unchanged
from heliostat.service.wire.frozen_reports import known

router = APIRouter(route_class=PageRoute)

SANDBOX = "sandbox allow-scripts allow-popups allow-downloads"
"""A report has scripts of its own; they run as a stranger's, who knows no cookie and calls nothing here."""


@router.get("/experiments/{experiment}/reports")
async def listed(look: Visit, experiment: str) -> Response:
    """The reports of an experiment, and a form that freezes another."""
    record = await look.experiment(experiment)
    found = await news(look, record.id)
    if found is None:
        return unchanged()
    reports = await look.read(look.log.reports, record.id)
    return look.show("reports", found.seq, **about(found, "reports"), reports=reports[::-1])


@router.get("/reports/{report}")
async def shown(look: Visit, report: str) -> Response:
    """The report as it was frozen."""
    _, page = await known(look, report)
    headers = {"Content-Security-Policy": SANDBOX, "Content-Disposition": "inline"}
    if "gzip" in look.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        page = await look.read(gzip.decompress, page)
    return Response(page, media_type="text/html; charset=utf-8", headers=headers)
