"""What an experiment has found: best points, whether to stop, what matters."""

from __future__ import annotations

from fastapi import APIRouter, Response

from heliostat import schema
from heliostat.service.calls import SharedCall, WriteCall, reply
from heliostat.service.wire import aiexperiments, standing
from heliostat.service.wire.fields import text
from heliostat.service.wire.paging import flag_of, page_object
from heliostat.service.wire.stewards import record_of
from heliostat.service.written_reports import WrittenReports

router = APIRouter(tags=["insights"])


@router.get("/experiments/{experiment}/best_assignments")
async def best_assignments(call: SharedCall, experiment: str) -> Response:
    """The best point, the Pareto front, several solutions, or all that are feasible."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id)
    found = standing.best_assignments(record.spec, runs)
    return reply(page_object(found, len(found), None, None))


@router.get("/experiments/{experiment}/best_training_runs")
async def best_training_runs(call: SharedCall, experiment: str) -> Response:
    """The same as runs."""
    return await aiexperiments.best_training_runs(call, experiment)


@router.get("/experiments/{experiment}/stopping_criteria")
async def stopping_criteria(call: SharedCall, experiment: str) -> Response:
    """Whether more observations would still win anything."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id)
    return reply(await call.read(standing.stopping_criteria, record.spec, runs))


@router.get("/experiments/{experiment}/metric_importances")
@router.put("/experiments/{experiment}/metric_importances")
async def metric_importances(call: SharedCall, experiment: str) -> Response:
    """How much each parameter matters for each metric; computed anew at each call."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id, curves=True)
    found = await call.read(standing.metric_importances, record.spec, runs)
    return reply(page_object(found, len(found), None, None))


@router.get("/experiments/{experiment}/best_practices")
async def best_practices(call: SharedCall, experiment: str) -> Response:
    """What goes against good use, without being refused."""
    record = await record_of(call, experiment)
    runs = await call.read(call.log.runs, record.id)
    return reply(standing.best_practices(record.spec, runs))


@router.delete("/experiments/{experiment}/hyperparameters")
async def delete_hyperparameters(call: WriteCall, experiment: str) -> Response:
    """Nothing to do: a model's hyperparameters are fitted to the observations whenever they change."""
    await record_of(call, experiment)
    return reply({})


@router.get("/experiments/{experiment}/report")
async def report(
    call: SharedCall,
    experiment: str,
    format: str = "html",
    metrics: str = "",
    title: str = "",
    comment: str = "",
) -> Response:
    """The experiment's report: one file that needs nothing else, as `html` or `markdown`.

    `metrics=true` is the page for stakeholders; `title` and `comment` stand above the report.
    """
    record = await record_of(call, experiment)
    form = schema.choice(format, "format", ("html", "markdown"))
    head, words = text(title, "title", longest=200) or None, text(comment, "comment", longest=20_000)
    reports, is_brief = call.backend.part(WrittenReports), flag_of(call, "metrics")
    found = await call.read(reports.get, record.id, form, metrics=is_brief, title=head, comment=words)
    kind, ending = ("text/html", "html") if form == "html" else ("text/markdown", "md")
    headers = {
        "Content-Disposition": f'attachment; filename="heliostat-{record.id}.{ending}"',
        "Content-Security-Policy": "sandbox",  # it has scripts of its own, which are not to run as ours
    }
    return Response(found.encode("utf-8", "replace"), media_type=f"{kind}; charset=utf-8", headers=headers)
