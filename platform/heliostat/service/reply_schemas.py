"""Which operation gives which reply, for the OpenAPI document.

An object in a page may have been asked for with ``fields``, so there no key must be there; nowhere is there
one that is not declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heliostat.service.reply_objects import FREE, MAYBE_TEXT, OBJECTS, PLAIN, TEXT, WHOLE, Schema, array, ref

_PROJECT = "/v1/clients/{client}/projects/{project}"
_CORE, _RUN = "/v1/experiments/{experiment}", "/v1/training_runs/{run}"
_REPLIES: dict[str, dict[str, str]] = {
    "/healthz": {"get": "health"},
    "/readyz": {"get": "health"},
    "/v1/aiexperiments": {"get": "page of aiexperiment"},
    "/v1/aiexperiments/{experiment}": {"get": "aiexperiment", "put": "aiexperiment", "delete": "nothing"},
    "/v1/aiexperiments/{experiment}/best_training_runs": {"get": "page of training_run"},
    "/v1/aiexperiments/{experiment}/tokens": {"post": "token"},
    "/v1/aiexperiments/{experiment}/training_runs": {"post": "training_run"},
    "/v1/clients/{client}": {"get": "client"},
    "/v1/clients/{client}/aiexperiments": {"get": "page of aiexperiment"},
    "/v1/clients/{client}/experiments": {"get": "page of experiment", "post": "experiment"},
    "/v1/clients/{client}/projects": {"get": "page of project", "post": "project"},
    _PROJECT: {"get": "project", "put": "project"},
    f"{_PROJECT}/aiexperiments": {"get": "page of aiexperiment", "post": "aiexperiment"},
    f"{_PROJECT}/experiments": {"get": "page of experiment"},
    f"{_PROJECT}/notes": {"get": "page of note", "post": "note"},
    f"{_PROJECT}/training_runs": {"get": "page of training_run", "post": "training_run"},
    f"{_PROJECT}/training_runs/batch": {"post": "page of training_run"},
    "/v1/clients/{client}/tags": {"get": "page of tag", "post": "tag"},
    "/v1/clients/{client}/tokens": {"get": "page of token", "post": "token"},
    "/v1/clients/{client}/training_runs": {"get": "page of training_run"},
    "/v1/events": {"get": "events"},
    "/v1/experiments": {"get": "page of experiment", "post": "experiment"},
    _CORE: {"get": "experiment", "put": "experiment", "delete": "nothing"},
    f"{_CORE}/ask": {"post": "ask"},
    f"{_CORE}/best_assignments": {"get": "page of best_assignments"},
    f"{_CORE}/best_practices": {"get": "best_practices"},
    f"{_CORE}/best_training_runs": {"get": "page of training_run"},
    f"{_CORE}/hyperparameters": {"delete": "nothing"},
    f"{_CORE}/metric_importances": {
        "get": "page of metric_importances",
        "put": "page of metric_importances",
    },
    f"{_CORE}/observations": {"get": "page of observation", "post": "observation", "delete": "nothing"},
    f"{_CORE}/observations/batch": {"post": "page of observation"},
    f"{_CORE}/observations/{{observation}}": {
        "get": "observation",
        "put": "observation",
        "delete": "nothing",
    },
    f"{_CORE}/queued_suggestions": {"get": "page of queued_suggestion", "post": "queued_suggestion"},
    f"{_CORE}/queued_suggestions/{{suggestion}}": {"get": "queued_suggestion", "delete": "nothing"},
    f"{_CORE}/report": {"post": "report"},
    f"{_CORE}/stopping_criteria": {"get": "stopping_criteria"},
    f"{_CORE}/suggestions": {"get": "page of suggestion", "post": "suggestion", "delete": "nothing"},
    f"{_CORE}/suggestions/{{suggestion}}": {"get": "suggestion", "put": "suggestion", "delete": "nothing"},
    f"{_CORE}/tell": {"post": "run"},
    f"{_CORE}/tokens": {"post": "token"},
    "/v1/files/{file}": {"get": "file"},
    "/v1/organizations": {"get": "page of organization"},
    "/v1/organizations/{organization}": {"get": "organization"},
    "/v1/organizations/{organization}/clients": {"get": "page of client"},
    "/v1/organizations/{organization}/training_runs": {"get": "page of training_run"},
    "/v1/tickets/{ticket}": {"put": "file"},
    "/v1/tokens/self": {"get": "token", "put": "token"},
    "/v1/tokens/{token}": {"get": "token", "put": "token", "delete": "nothing"},
    _RUN: {"get": "training_run", "put": "training_run", "patch": "training_run", "delete": "nothing"},
    f"{_RUN}/checkpoints": {"get": "page of checkpoint", "post": "checkpoint"},
    f"{_RUN}/checkpoints/{{checkpoint}}": {"get": "checkpoint"},
    f"{_RUN}/files": {"get": "page of file", "post": "file"},
    f"{_RUN}/tags": {"post": "training_run"},
    f"{_RUN}/tags/{{tag}}": {"delete": "training_run"},
    f"{_RUN}/tokens": {"post": "token"},
    f"{_CORE}/reports": {"get": "page of frozen_report", "post": "frozen_report"},
    "/v1/reports/{report}": {"get": "frozen_report"},
    "/v1/reports/{report}/tokens": {"post": "token"},
    f"{_PROJECT}/tokens": {"post": "token"},
    "/v1/web_data": {
        "get": "page of web_data",
        "post": "web_data",
        "put": "web_data",
        "delete": "nothing",
    },
}
_CONTENT = {
    ("get", "/metrics"): {"text/plain": {"schema": TEXT}},
    ("get", f"{_CORE}/report"): {"text/html": {"schema": TEXT}, "text/markdown": {"schema": TEXT}},
    ("get", "/v1/tickets/{ticket}"): {"application/octet-stream": {"schema": {"type": "string"}}},
}
_STREAM = {"text/event-stream": {"schema": TEXT}}


def reply_content(verb: str, path: str) -> dict[str, Any] | None:
    """The ``content`` of an operation's success; ``None`` for one that is not known here."""
    special = _CONTENT.get((verb, path))
    if special is not None:
        return special
    name = _REPLIES.get(path, {}).get(verb)
    if name is None:
        return None
    found = {"application/json": {"schema": ref(name.replace(" ", "_"))}}
    return {**found, **_STREAM} if path == "/v1/events" else found


def operations(verb: str) -> list[str]:
    """The paths that answer to a verb with JSON of a known form."""
    return [path for path, replies in _REPLIES.items() if verb in replies]


def components() -> dict[str, Schema]:
    """All schemas that replies refer to, by name."""
    return {**PLAIN, **dict(_objects()), **dict(_pages())}


def _objects() -> Iterator[tuple[str, Schema]]:
    for name, (required, optional) in OBJECTS.items():
        yield name, _closed(name, required, optional)


def _pages() -> Iterator[tuple[str, Schema]]:
    names = {reply for replies in _REPLIES.values() for reply in replies.values()}
    for name in sorted(name.removeprefix("page of ") for name in names if name.startswith("page of ")):
        required, optional = OBJECTS[name]
        item = {**_closed(name, {}, {**required, **optional}), "required": []}
        cursors = {"before": MAYBE_TEXT, "after": MAYBE_TEXT}
        paging = {"type": "object", "required": list(cursors), "properties": cursors}
        page = {"count": WHOLE, "data": array(item), "paging": {**paging, "additionalProperties": False}}
        more = {"defined_fields": array(FREE)} if name == "training_run" else {}
        yield f"page_of_{name}", _closed("pagination", page, more)


def _closed(name: str, required: Mapping[str, Schema], optional: Mapping[str, Schema]) -> Schema:
    kind = {"object": {"const": name}}
    return {
        "type": "object",
        "required": [*kind, *required],
        "properties": {**kind, **required, **optional},
        "additionalProperties": False,
    }
