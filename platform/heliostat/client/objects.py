"""What the service's objects are in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heliostat.experiment import FIELDS, ExperimentSpec, read_experiment
from heliostat.trial import Failure, Measurement, Prediction, Run, State
from heliostat.unprinted import unprinted


@dataclass(frozen=True)
class Asked:
    """What came of asking for runs.

    Args:
        runs: To execute; fewer than asked for at the end of budget or space.
        is_over: Whether asking again is of no use now.
        reason: Why.
    """

    runs: tuple[Run, ...]
    is_over: bool
    reason: str


@dataclass(frozen=True)
class Heard:
    """What the service says to a report.

    Args:
        should_stop: Whether going on is not worth it.
        reasons: By criterion.
    """

    should_stop: bool
    reasons: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteEvent:
    """One recorded write, as :class:`heliostat.ports.Event`."""

    seq: int
    time: float
    kind: str
    experiment: int | None
    run: int | None
    body: Mapping[str, Any]


def read_asked(data: Mapping[str, Any]) -> Asked:
    """What ``ask`` answered."""
    runs = tuple(read_run(item) for item in data["runs"])
    return Asked(runs, bool(data["is_over"]), str(data["reason"]))


def read_event(data: Mapping[str, Any]) -> RemoteEvent:
    """An event."""
    experiment, run = _id(data["experiment"]), _id(data["run"])
    return RemoteEvent(data["seq"], data["time"], data["kind"], experiment, run, data["body"])


def read_spec(data: Mapping[str, Any]) -> ExperimentSpec:
    """The declaration in an ``aiexperiment``."""
    plain = unprinted(data)
    kept = {key: plain[key] for key in FIELDS if plain.get(key) is not None and key != "type"}
    return read_experiment(kept)


def read_run(data: Mapping[str, Any]) -> Run:
    """A run from a ``training_run``, or from the short form of ``ask`` and ``tell``; without its curve."""
    task = data.get("task")
    failure = data.get("failure")
    state = data.get("end") or data["state"]
    return Run(
        id=int(data["id"]),
        experiment=_id(data.get("experiment")),
        project=data.get("project") or "",
        number=data.get("number") or 0,
        name=data.get("name") or "",
        assignments=dict(data["assignments"]),
        state=State(state),
        values={name: _measurement(item) for name, item in data["values"].items()},
        task=task["name"] if isinstance(task, Mapping) else task,
        origin=data.get("origin") or "heliostat",
        why=data.get("why") or "",
        predicted={
            name: Prediction(float(item["mean"]), float(item["stddev"]))
            for name, item in (data.get("predicted") or {}).items()
        },
        end_reason=data.get("end_reason") or "",
        failure=None if failure is None else Failure(failure["kind"], failure["message"]),
        attempt=data.get("attempt") or 1,
        created=float(data.get("created") or 0),
        ended=data.get("completed"),
        updated=float(data.get("updated") or 0),
        metadata=data.get("metadata") or {},
        user=data.get("user") or "",
        favorite=bool(data.get("favorite")),
        archived=bool(data.get("deleted")),
        note=data.get("note") or "",
    )


def _measurement(item: Mapping[str, Any]) -> Measurement:
    stddev = item.get("value_stddev")
    return Measurement(float(item["value"]), None if stddev is None else float(stddev))


def _id(text: str | None) -> int | None:
    return None if text is None else int(text)
