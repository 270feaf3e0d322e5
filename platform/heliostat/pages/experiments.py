"""An experiment: overview, analysis, properties, samples of code."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from heliostat.engine import recommended
from heliostat.pages.analysing import Analyses
from heliostat.pages.news import news
from heliostat.pages.snapshots import Snapshot, Snapshots
from heliostat.pages.streaming import Content, streamed
from heliostat.pages.trials import head_of, ids_of, table_of
from heliostat.pages.views.samples import samples
from heliostat.pages.visits import Look, PageRoute, Visit, unchanged
from heliostat.ports import ExperimentRecord
from heliostat.report.headlines import Headline, recommendation
from heliostat.service.wire.aiexperiments import KIND
from heliostat.service.wire.declarations import declared_fields
from heliostat.trial import Proposal

router = APIRouter(route_class=PageRoute)

ROWS = 15
"""Rows of the table below the overview."""

AT_ONCE = 1000
"""Of more runs than these the table is shown first, and the figures once they are made."""


@router.get("/experiments/{experiment}")
async def overview(look: Visit, experiment: str) -> Response:
    """Headlines, the six cards and the latest runs."""
    record = await look.experiment(experiment)
    head = head_of(record, "overview", has_figures=True)
    return await streamed(look, partial(_overview, look, record), **head)


async def _overview(look: Look, record: ExperimentRecord) -> Content | None:
    if look.seen is None and sum(record.counts.values()) > AT_ONCE and not _is_read(look, record.id):
        shown = await table_of(look, spec=record.spec, experiment=record.id, rows=ROWS)
        return Content("reading", 0, {"record": record, "table": shown, "tab": "overview"})
    found = await news(look, record.id)
    if found is None:
        return None
    shown = await table_of(look, spec=found.spec, experiment=record.id, known=found.runs, rows=ROWS)
    facts = {"view": found.overview, "table": shown, "ids": ids_of(found.runs)}
    return Content("overview", found.seq, {**about(found, "overview"), **facts, "is_noisy": found.is_noisy})


@router.get("/experiments/{experiment}/recommended")
async def recommended_point(look: Visit, experiment: str) -> Response:
    """The tile of the recommended point; it may take a fit of the searcher's model."""
    record = await look.experiment(experiment)
    found: tuple[Headline, ...] = await look.read(_recommended, look, record.id)
    return look.show("recommended", 0, tiles=found)


@router.get("/experiments/{experiment}/analysis")
async def analysis(look: Visit, experiment: str) -> Response:
    """Every figure that the runs allow."""
    record = await look.experiment(experiment)
    head = head_of(record, "analysis", has_figures=True)
    return await streamed(look, partial(_analysis, look, record), **head)


async def _analysis(look: Look, record: ExperimentRecord) -> Content | None:
    found = await news(look, record.id)
    if found is None:
        return None
    cards = await look.read(look.backend.part(Analyses).get, found)
    facts = {"cards": cards, "ids": ids_of(found.runs)}
    return Content("analysis", found.seq, {**about(found, "analysis"), **facts})


@router.get("/experiments/{experiment}/properties")
async def properties(look: Visit, experiment: str) -> Response:
    """The declaration, and what of it may change."""
    record = await look.experiment(experiment)
    found = await news(look, record.id)
    if found is None:
        return unchanged()
    wire = declared_fields(record, KIND, look.settings.client)
    return look.show("properties", found.seq, **about(found, "properties"), wire=wire)


@router.get("/experiments/{experiment}/code")
async def code(look: Visit, experiment: str) -> Response:
    """Ready samples for every way in."""
    record = await look.experiment(experiment)
    found = await news(look, record.id)
    if found is None:
        return unchanged()
    shown = samples(record.id, record.spec, look.base_url)
    return look.show("code", found.seq, **about(found, "code"), samples=shown)


def _is_read(look: Look, experiment: int) -> bool:
    return look.backend.part(Snapshots).has(experiment)


def about(found: Snapshot, tab: str) -> dict[str, Any]:
    """What the head of all pages of an experiment says."""
    return {
        "record": found.record,
        "counts": found.overview.counts,
        "states": found.overview.states,
        "failures": found.overview.failures,
        "tab": tab,
    }


def _recommended(look: Look, experiment: int) -> tuple[Headline, ...]:
    point: Proposal | None = recommended(look.log, experiment)
    return recommendation(look.log.experiment(experiment).spec, point)
