"""A project: its experiments, runs and notes."""

from __future__ import annotations

from fastapi import APIRouter, Response

from heliostat.pages.trials import table_of
from heliostat.pages.visits import PageRoute, Visit, check_project, unchanged
from heliostat.ports import ExperimentRecord, Note, ProjectRecord, RunLog
from heliostat.service.callers import hidden
from heliostat.tracking import given

router = APIRouter(route_class=PageRoute)


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
    return look.show(
        "project",
        seq,
        project=record,
        experiments=[item for item in reversed(experiments) if not item.archived],
        archived=[item for item in reversed(experiments) if item.archived],
        notes=notes[-1] if notes else None,
        versions=len(notes),
        table=await table_of(look, project=id),
    )


def _read(log: RunLog, id: str) -> tuple[ProjectRecord | None, list[ExperimentRecord], list[Note]]:
    record = next((item for item in log.projects() if item.id == id), None)
    return record, log.experiments(id), log.notes(id)
