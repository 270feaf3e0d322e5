"""Home: what runs, what happened lately, all projects."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from heliostat.pages.signing_in import home_of
from heliostat.pages.views.activity import activity
from heliostat.pages.visits import PageRoute, Visit, unchanged
from heliostat.ports import Event, ExperimentRecord, ProjectRecord, RunLog

router = APIRouter(route_class=PageRoute)

LOOKED_AT = 400
"""Events that the list of what happened is made of; checkpoints are most of them."""

SHOWN = 12


@router.get("/")
async def home(look: Visit) -> Response:
    """The first page."""
    if look.caller.is_guest:
        return RedirectResponse(home_of(look), status_code=303)
    if await look.is_unchanged():
        return unchanged()
    seq = await look.head()
    experiments, projects, events = await look.read(_read, look.log, seq)
    by_id = {record.id: record for record in experiments}
    running = [record for record in experiments if record.counts.get("active") and not record.archived]
    return look.show(
        "home",
        seq,
        running=sorted(running, key=lambda record: record.id, reverse=True),
        recent=[record for record in reversed(experiments) if not record.archived][:SHOWN],
        projects=[item for item in reversed(projects) if not item.archived],
        activity=activity(events, by_id)[:SHOWN],
    )


def _read(log: RunLog, seq: int) -> tuple[list[ExperimentRecord], list[ProjectRecord], list[Event]]:
    events = log.events(max(seq - LOOKED_AT, 0), LOOKED_AT)
    return log.experiments(), log.projects(), events
