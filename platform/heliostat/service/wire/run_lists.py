"""Lists of runs: filters, search, order, pages, and the fields that the runs have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Response

from heliostat.errors import InvalidValue
from heliostat.query import RunQuery, read_filters
from heliostat.service.calls import Call, ReadCall, SharedCall, reply
from heliostat.service.strict_json import read_json
from heliostat.service.wire.fields import check_client, project_of
from heliostat.service.wire.paging import cursors_of, fields_of, flag_of, limit_of, page_object
from heliostat.service.wire.run_objects import run_object
from heliostat.service.wire.tag_book import TagBook
from heliostat.trial import Run

router = APIRouter(tags=["training runs"])


@router.get("/clients/{client}/projects/{project}/training_runs")
async def of_project(call: SharedCall, client: str, project: str) -> Response:
    """Runs of a project."""
    call.caller.require_project(project)
    return reply(await run_page(call, project=project_of(call, client, project)))


@router.get("/clients/{client}/training_runs")
async def of_client(call: ReadCall, client: str) -> Response:
    """Runs of all projects."""
    check_client(call, client)
    return reply(await run_page(call))


async def run_page(
    call: Call, *, project: str | None = None, experiment: int | None = None
) -> dict[str, Any]:
    """The page of runs that a call's query asks for.

    Raises:
        InvalidValue: A part of the query breaks a rule.
    """
    query = read_query(call)
    found = await call.read(call.log.query, query, project=project, experiment=experiment)
    tags = await call.read(call.backend.part(TagBook).ids) if any(run.tags for run in found.runs) else {}
    objects = (
        {**run_object(run, client=call.settings.client, tags=tags), "checkpoint_count": None}
        for run in found.runs  # curves are not read for lists, and a missing count is not 0
    )
    page = page_object(objects, found.count, found.after, found.before, fields_of(call.request))
    return {**page, "defined_fields": list(defined_fields(found.runs))}


def read_query(call: Call) -> RunQuery:
    """The query in a call's arguments; newest first unless they say otherwise.

    Raises:
        InvalidValue: A part of it breaks a rule.
    """
    asked = call.request.query_params
    before, after = cursors_of(call)
    filters = asked.get("filters")
    condition = None
    if filters:
        condition = read_filters(read_json(filters.encode("utf-8", "replace"), depth=call.settings.max_depth))
    search = asked.get("search") or ""
    if "\x00" in search:
        raise InvalidValue("search", "a text must not hold NUL")
    return RunQuery(
        filters=condition,
        search=search,
        sort=asked.get("sort") or "id",
        ascending=flag_of(call, "ascending"),
        limit=limit_of(call),
        # The wire's ``before`` leads on, to older runs.
        before=after,
        after=before,
    )


def defined_fields(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """What the runs of a page hold: keys by family, their type, in how many runs."""
    families = (
        ("assignments", [run.assignments for run in runs]),
        ("values", [run.numbers for run in runs]),
        ("metadata", [run.metadata for run in runs]),
    )
    for family, rows in families:
        counts: Counter[str] = Counter(name for row in rows for name in row)
        kinds = {name: value for row in rows for name, value in row.items() if value is not None}
        for name in sorted(counts):
            key = f"{family}.{name}.value" if family == "values" else f"{family}.{name}"
            is_text = isinstance(kinds.get(name), str)
            yield {
                "object": "field",
                "key": key,
                "name": name,
                "type": "string" if is_text else "number",
                "sortable": True,
                "count": counts[name],
            }
