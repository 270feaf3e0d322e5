"""One run: what it was given, what came back, how it went."""

from __future__ import annotations

from fastapi import APIRouter, Response

from heliostat.pages.snapshots import Snapshots
from heliostat.pages.views.figures import curve_cards, place_cards
from heliostat.pages.views.run_view import RunView, run_view
from heliostat.pages.visits import Look, PageRoute, Visit, unchanged
from heliostat.ports import ExperimentRecord
from heliostat.service.tickets import sign
from heliostat.trial import Run, State

router = APIRouter(route_class=PageRoute)


@router.get("/runs/{run}")
async def run_page(look: Visit, run: str) -> Response:
    """The page of a run."""
    known = await look.run(run)
    if await look.is_unchanged(known.experiment, known.id):
        return unchanged()
    seq = await look.head()
    known = await look.run(run)  # as of then, or newer
    record, others = await look.read(_company, look, known)
    view = await look.read(_view, look, known, record)
    peers = [other for other in others if other.state is State.COMPLETED and other.id != known.id]
    places = place_cards(known, peers)
    return look.show(
        "run",
        seq,
        run=known,
        record=record,
        view=view,
        curves=curve_cards([known]),
        places=places,
    )


def _company(look: Look, run: Run) -> tuple[ExperimentRecord | None, list[Run]]:
    """The run's experiment, and the runs that it is compared with: those of its experiment or project."""
    if look.caller.run is not None:  # a guest of this run alone
        return None, [run]
    if run.experiment is not None:
        found = look.backend.part(Snapshots).get(run.experiment)
        return found.record, list(found.runs)
    return None, [other for other in look.log.runs(project=run.project) if other.experiment is None]


def _view(look: Look, run: Run, record: ExperimentRecord | None) -> RunView:
    files = [
        (file, f"/v1/tickets/{sign(look.backend, look.caller, {'get': file.id})}")
        for file in look.log.files(run.id)
    ]
    return run_view(run, None if record is None else record.spec, look.log.texts(run.id), files)
