"""Two to eight runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Response

from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.pages.views.figures import curve_cards
from heliostat.pages.visits import PageRoute, Visit
from heliostat.ports import RunLog
from heliostat.report.comparison import LEAST, MOST, comparison
from heliostat.trial import Run

router = APIRouter(route_class=PageRoute)


@router.get("/compare")
async def compare(look: Visit, runs: str = "") -> Response:
    """The runs whose identities stand in `runs`, with commas between; the first is the measure."""
    ids = list(dict.fromkeys(part for part in runs.split(",") if part))
    if not LEAST <= len(ids) <= MOST:
        remedy = "Mark runs in a table, then choose Compare."
        raise InvalidValue("runs", f"must be {LEAST} to {MOST}", given=len(ids), remedy=remedy)
    found = [await look.run(id) for id in ids]
    specs = await look.read(_specs, look.log, found)
    names = [_name(run, specs) for run in found]
    return look.show(
        "compare",
        0,
        comparison=comparison(found, specs),
        names=names,
        specs=specs,
        cards=curve_cards(found, names),
    )


def _specs(log: RunLog, runs: Sequence[Run]) -> dict[int, ExperimentSpec]:
    ids = {run.experiment for run in runs if run.experiment is not None}
    return {id: log.experiment(id).spec for id in ids}


def _name(run: Run, specs: dict[int, ExperimentSpec]) -> str:
    if run.experiment is None:
        return run.name or f"run {run.id}"
    return f"run {run.number}" if len(specs) == 1 else f"{specs[run.experiment].name} run {run.number}"
