"""The tables of runs: of an experiment, of a project, of all; and their export."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.pages.news import news
from heliostat.pages.streaming import Content, streamed
from heliostat.pages.views.exports import as_csv, as_json, as_parquet
from heliostat.pages.views.table import ROWS, Asked, Table, read_asked, refused, table
from heliostat.pages.visits import Look, PageRoute, Visit, unchanged
from heliostat.ports import ExperimentRecord
from heliostat.service.calls import reply
from heliostat.tracking import given
from heliostat.trial import Run

router = APIRouter(route_class=PageRoute)


@router.get("/experiments/{experiment}/runs.{form}")
async def export_of_experiment(look: Visit, experiment: str, form: str) -> Response:
    """All matching runs of an experiment as CSV, JSON or Parquet."""
    record = await look.experiment(experiment)
    return await _exported(look, form, spec=record.spec, experiment=record.id)


@router.get("/projects/{project}/runs.{form}")
async def export_of_project(look: Visit, project: str, form: str) -> Response:
    """All matching runs of a project as CSV, JSON or Parquet."""
    look.caller.require_project(project)
    return await _exported(look, form, project=given.project(project))


@router.get("/runs.{form}")
async def export(look: Visit, form: str) -> Response:
    """All matching runs as CSV, JSON or Parquet."""
    look.require_everything()
    return await _exported(look, form)


@router.get("/runs")
async def every(look: Visit) -> Response:
    """The table of all runs."""
    look.require_everything()
    if await look.is_unchanged():
        return unchanged()
    seq = await look.head()
    return look.show("all_runs", seq, table=await table_of(look))


@router.get("/experiments/{experiment}/runs")
async def of_experiment(look: Visit, experiment: str) -> Response:
    """Parallel axes and the table of an experiment's runs."""
    record = await look.experiment(experiment)
    return await streamed(look, partial(_runs, look, record), **head_of(record, "runs"))


async def _runs(look: Look, record: ExperimentRecord) -> Content | None:
    found = await news(look, record.id)
    if found is None:
        return None
    shown = await table_of(look, spec=record.spec, experiment=record.id, known=found.runs)
    space = next(card for card in found.overview.cards if card.kind == "parallel")
    facts = {"record": record, "table": shown, "card": space, "ids": ids_of(found.runs), "tab": "runs"}
    return Content("experiment_runs", found.seq, facts)


async def table_of(
    look: Look,
    *,
    spec: ExperimentSpec | None = None,
    project: str | None = None,
    experiment: int | None = None,
    known: Sequence[Run] = (),
    rows: int = ROWS,
) -> Table:
    """The table that a look's address asks for, `rows` at a time."""
    asked = _asked(look)
    try:
        page = await look.read(look.log.query, asked.query(rows), project=project, experiment=experiment)
    except InvalidValue as error:
        return refused(asked, spec, error)
    return table(asked, page, spec, known[:1000])


def head_of(record: ExperimentRecord, tab: str, *, has_figures: bool = False) -> dict[str, Any]:
    """What the head of an experiment's page shows, before the runs are read.

    Args:
        record: The experiment.
        tab: Of the page.
        has_figures: Whether plotly will be needed where there are runs.
    """
    return {"record": record, "tab": tab, "has_figures": has_figures and bool(record.counts)}


def ids_of(runs: Sequence[Run]) -> list[list[int]]:
    """Numbers and identities of runs: charts know runs by number, the wire by identity."""
    return [[run.number for run in runs], [run.id for run in runs]]


def _asked(look: Look) -> Asked:
    parts = look.request.query_params
    return read_asked(parts, parts.getlist("columns"))


async def _exported(
    look: Look,
    form: str,
    *,
    spec: ExperimentSpec | None = None,
    project: str | None = None,
    experiment: int | None = None,
) -> Response:
    asked = _asked(look)
    page = await look.read(look.log.query, asked.query(None), project=project, experiment=experiment)
    shown = table(asked, page, spec)
    if form == "json":
        answer = reply(await look.read(as_json, shown, page.runs))
    elif form == "csv":
        text = await look.read(as_csv, shown, page.runs)
        answer = Response(text.encode("utf-8", "replace"), media_type="text/csv; charset=utf-8")
    elif form == "parquet":
        content = await look.read(as_parquet, shown, page.runs)
        answer = Response(content, media_type="application/vnd.apache.parquet")
    else:
        raise InvalidValue("form", "must be csv, json or parquet", given=form[:20])
    answer.headers["Content-Disposition"] = f'attachment; filename="runs.{form}"'
    return answer
