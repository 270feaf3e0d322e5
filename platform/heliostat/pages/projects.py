"""A project: its experiments, runs and notes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from heliostat.pages.trials import table_of
from heliostat.pages.views.project_figures import metric_cards
from heliostat.pages.visits import PageRoute, Visit, check_project, unchanged
from heliostat.ports import ExperimentRecord, Note, ProjectRecord, RunLog
from heliostat.query import RunQuery
from heliostat.service.callers import hidden
from heliostat.tracking import given

router = APIRouter(route_class=PageRoute)

DRAWN = 1000
"""Runs in its figures, the latest."""


@router.get("/projects/{project}")
async def project(look: Visit, project: str) -> Response:
    """Experiments, notes, runs."""
    check_project(look, project)
    id = given.project(project)
    if await look.is_unchanged():
        return unchanged()
    seq = await look.head()
    record, experiments, notes = await look.read(_read, look.log, id)
    if record is None:
        raise hidden("project", id)
    latest = await look.read(look.log.query, RunQuery(ascending=False, limit=DRAWN), project=id)
    names = {item.id: item.spec.name for item in experiments}
    return look.show(
        "project",
        seq,
        project=record,
        experiments=[item for item in reversed(experiments) if not item.archived],
        archived=[item for item in reversed(experiments) if item.archived],
        notes=notes[-1] if notes else None,
        versions=len(notes),
        cards=metric_cards(latest.runs, names),
        table=await table_of(look, project=id),
    )


def _read(log: RunLog, id: str) -> tuple[ProjectRecord | None, list[ExperimentRecord], list[Note]]:
    record = next((item for item in log.projects() if item.id == id), None)
    return record, log.experiments(id), log.notes(id)
