"""Informing the optimizer: what waits, what is out, and forms to queue, report, set right and delete."""

from __future__ import annotations

from fastapi import APIRouter, Response

from heliostat.engine import queued
from heliostat.pages.experiments import about
from heliostat.pages.news import news
from heliostat.pages.visits import PageRoute, Visit, unchanged
from heliostat.service.wire.standing import observed

router = APIRouter(route_class=PageRoute)

LATEST = 20
"""Observations listed; the others are in the table of runs."""


@router.get("/experiments/{experiment}/suggestions")
async def suggestions(look: Visit, experiment: str) -> Response:
    """Queue, open suggestions, the latest observations."""
    record = await look.experiment(experiment)
    found = await news(look, record.id)
    if found is None:
        return unchanged()
    waiting = await look.read(queued, look.log, record.id)
    done = sorted(observed(found.runs), key=lambda run: run.ended or run.created, reverse=True)
    return look.show(
        "suggestions",
        found.seq,
        **about(found, "suggestions"),
        waiting=waiting,
        open=[run for run in found.runs if run.state.is_open],
        done=done[:LATEST],
        hidden=max(len(done) - LATEST, 0),
    )
