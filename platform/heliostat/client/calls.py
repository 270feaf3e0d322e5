"""Calls to the service as values: what to send, how to read the answer. No I/O: both clients share them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from heliostat.client.objects import Asked, Heard, RemoteEvent, read_asked, read_event, read_run, read_spec
from heliostat.experiment import ExperimentSpec, read_experiment
from heliostat.outcome import measurement
from heliostat.trial import Run
from heliostat.writes import new_key

Result = TypeVar("Result")


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One call.

    Args:
        method: HTTP verb.
        path: Behind ``/v1``.
        read: Makes the result of the JSON that comes back.
        body: JSON to send.
        query: Arguments in the address.
        key: Its own, sent with every repetition, so that the service takes them for one.
        seconds: Time that the answer may take beyond the usual.
    """

    method: str
    path: str
    read: Callable[[Any], Result]
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    seconds: float = 0.0


def create_experiment(client: str, spec: ExperimentSpec) -> Call[int]:
    """Create an experiment; its id."""
    body = {key: item for key, item in spec.to_dict().items() if key != "project"}
    path = f"/clients/{quote(client, safe='')}/projects/{quote(spec.project, safe='')}/aiexperiments"
    return Call("POST", path, lambda data: int(data["id"]), body)


def settle_project(client: str, project: str) -> Call[None]:
    """Bring a project into being; a Conflict if it is there."""
    return Call(
        "POST", f"/clients/{quote(client, safe='')}/projects", _nothing, {"id": project, "name": project}
    )


def own_token() -> Call[str]:
    """The client that a token belongs to."""
    return Call("GET", "/tokens/self", lambda data: str(data["client"]))


def spec_of(experiment: int) -> Call[ExperimentSpec]:
    """The declaration."""
    return Call("GET", f"/aiexperiments/{experiment}", read_spec)


def remaining(experiment: int) -> Call[float | None]:
    """What is left of the budget; ``None`` without one."""
    return Call("GET", f"/aiexperiments/{experiment}", lambda data: data["progress"]["remaining_budget"])


def experiments(project: str | None, client: str, after: str | None) -> Call[tuple[list[int], str | None]]:
    """A page of ids, newest first, and the cursor of the next."""
    folder = "" if project is None else f"/projects/{quote(project, safe='')}"
    query = {} if after is None else {"before": after}
    return Call("GET", f"/clients/{quote(client, safe='')}{folder}/aiexperiments", _ids, query=query)


def ask(
    experiment: int,
    count: int = 1,
    *,
    lease: float | None = None,
    name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[Asked]:
    """Runs to execute."""
    body = {"count": count, "lease": lease, "name": name, "metadata": metadata}
    sent = {key: item for key, item in body.items() if item is not None}
    return Call("POST", f"/experiments/{experiment}/ask", read_asked, sent)


def tell(
    experiment: int,
    run: int,
    values: Mapping[str, Any],
    *,
    failed: bool = False,
    reason: str = "",
    stopped: str = "",
    attempt: int | None = None,
) -> Call[Run]:
    """End a run. JSON has no NaN, so a run that measured one is told as failed, with its reason."""
    found, wrong = _values(values)
    body = {"run": str(run), "values": found, "failed": failed or bool(wrong), "attempt": attempt}
    told = {**body, "reason": reason or wrong, "stopped": "" if wrong else stopped}
    sent = {key: item for key, item in told.items() if item not in (None, "", {})}
    return Call("POST", f"/experiments/{experiment}/tell", read_run, sent)


def add(
    experiment: int, assignments: Mapping[str, Any], values: Mapping[str, Any], task: str | None
) -> Call[Run]:
    """Record a run that was made elsewhere."""
    found, wrong = _values(values)
    body = {
        "assignments": dict(assignments),
        "values": found,
        "task": task,
        "failed": bool(wrong),
        "reason": wrong,
    }
    sent = {key: item for key, item in body.items() if item not in (None, "")}
    return Call("POST", f"/experiments/{experiment}/tell", read_run, sent)


def report(
    experiment: int, run: int, values: Mapping[str, Any], step: int | None, attempt: int | None
) -> Call[Heard]:
    """What a run shows; NaN and infinity are left out of the curve."""
    body = {"run": str(run), "values": _values(values)[0], "step": step, "attempt": attempt}
    sent = {key: item for key, item in body.items() if item is not None}
    read = lambda data: Heard(bool(data["should_stop"]), dict(data["stopping_reasons"]))  # noqa: E731
    return Call("POST", f"/experiments/{experiment}/report", read, sent)


def give_back(experiment: int, run: int) -> Call[None]:
    """Cancel a run that is not going to be executed."""
    return Call("DELETE", f"/experiments/{experiment}/suggestions/{run}", _nothing)


def merge(run: int, **facts: Any) -> Call[None]:
    """Lay facts over a run."""
    return Call("PATCH", f"/training_runs/{run}", _nothing, facts)


def queue(experiment: int, assignments: Mapping[str, Any], task: str | None) -> Call[int]:
    """Queue a point; its id in the queue."""
    body = {"assignments": dict(assignments), **({} if task is None else {"task": task})}
    return Call("POST", f"/experiments/{experiment}/queued_suggestions", lambda data: int(data["id"]), body)


def queued(experiment: int) -> Call[list[dict[str, Any]]]:
    """The points that wait, next one first."""
    path = f"/experiments/{experiment}/queued_suggestions"
    return Call("GET", path, lambda data: list(reversed(data["data"])))


def unqueue(experiment: int, id: int) -> Call[None]:
    """Take a point out of the queue."""
    return Call("DELETE", f"/experiments/{experiment}/queued_suggestions/{id}", _nothing)


def update(experiment: int, changes: Mapping[str, Any]) -> Call[ExperimentSpec]:
    """Change the declaration."""
    return Call("PUT", f"/aiexperiments/{experiment}", read_spec, dict(changes))


def archive(experiment: int, is_archived: bool) -> Call[None]:
    """Put an experiment away, or bring it back."""
    state = "deleted" if is_archived else "active"
    return Call("PUT", f"/aiexperiments/{experiment}", _nothing, {"state": state})


def update_run(
    experiment: int, run: int, values: Mapping[str, Any] | None, failed: bool | None
) -> Call[None]:
    """Set an ended run right."""
    body: dict[str, Any] = {} if failed is None else {"failed": failed}
    if values is not None:
        found = ((name, measurement(value, name)) for name, value in values.items())
        body["values"] = [
            {"name": name, "value": item.value, "value_stddev": item.stddev} for name, item in found
        ]
    return Call("PUT", f"/experiments/{experiment}/observations/{run}", _nothing, body)


def delete_run(run: int) -> Call[None]:
    """Archive a run."""
    return Call("DELETE", f"/training_runs/{run}", _nothing)


def run_of(run: int) -> Call[Run]:
    """One run."""
    return Call("GET", f"/training_runs/{run}", read_run)


def runs(
    experiment: int, project: str, client: str, cursor: str | None
) -> Call[tuple[list[Run], str | None]]:
    """A page of runs, newest first, and the cursor of the next."""
    filters = json.dumps([{"field": "experiment", "operator": "==", "value": str(experiment)}])
    query = {"filters": filters, **({} if cursor is None else {"before": cursor})}
    path = f"/clients/{quote(client, safe='')}/projects/{quote(project, safe='')}/training_runs"
    return Call("GET", path, _run_page, query=query)


def best_runs(experiment: int) -> Call[list[Run]]:
    """The best run, the Pareto front, or several solutions."""
    path = f"/aiexperiments/{experiment}/best_training_runs"
    return Call("GET", path, lambda data: [read_run(item) for item in data["data"]])


def stopping(experiment: int) -> Call[dict[str, Any]]:
    """Whether more runs would still win anything."""
    path = f"/experiments/{experiment}/stopping_criteria"
    return Call("GET", path, lambda data: dict(data["convergence"]))


def events(after: int, wait: float, experiment: int | None) -> Call[tuple[list[RemoteEvent], int]]:
    """Events behind a place, and the place to go on from."""
    query = {"after": str(after), "wait": str(int(wait))}
    if experiment is not None:
        query["experiment"] = str(experiment)
    read = lambda data: ([read_event(item) for item in data["data"]], int(data["after"]))  # noqa: E731
    return Call("GET", "/events", read, query=query, seconds=wait)


def declared(
    name: str, parameters: Iterable[Any], metrics: Iterable[Any], fields: Mapping[str, Any]
) -> ExperimentSpec:
    """A declaration, checked before it is sent."""
    return read_experiment({"name": name, "parameters": parameters, "metrics": metrics, **fields})


def _values(values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Values in JSON, and what is wrong with those that have no such form."""
    found: dict[str, Any] = {}
    wrong = ""
    for name, value in values.items():
        item = measurement(value, name)
        if math.isfinite(item.value):
            found[name] = {"value": item.value, "value_stddev": item.stddev}
        else:
            wrong = wrong or f"metric {name!r} is {item.value}"
    return found, wrong


def _nothing(data: Any) -> None:
    return None


def _next(data: Mapping[str, Any]) -> str | None:
    cursor: str | None = data["paging"]["before"]
    return cursor


def _ids(data: Mapping[str, Any]) -> tuple[list[int], str | None]:
    return [int(item["id"]) for item in data["data"]], _next(data)


def _run_page(data: Mapping[str, Any]) -> tuple[list[Run], str | None]:
    return [read_run(item) for item in data["data"]], _next(data)
