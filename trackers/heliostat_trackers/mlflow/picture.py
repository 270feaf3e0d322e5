"""What MLflow must hold of a run, as values: a function of the run alone."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from heliostat.trial import Run, State
from heliostat_trackers.mlflow import wording
from heliostat_trackers.mlflow.wording import milliseconds

STATUSES = {
    State.ACTIVE: "RUNNING",
    State.COMPLETED: "FINISHED",
    State.EARLY_STOPPED: "KILLED",
    State.CANCELLED: "KILLED",
    State.FAILED: "FAILED",
    State.LOST: "FAILED",
}
"""MLflow knows five words; the state itself is in the tag ``heliostat.state``."""

OWN = "heliostat."
RUN, LOG, SEQ, REPORT = "heliostat.run", "heliostat.log", "heliostat.seq", "heliostat.report"
NAMES, METADATA = "heliostat.names", "heliostat.metadata"
ATTEMPT = "heliostat.attempt"
NAME = "mlflow.runName"

_MOST_STEPS_NAMED = 20

Names = Mapping[str, Mapping[str, str]]
"""``params``, ``metrics`` or ``tags`` → our name → MLflow's, where they differ."""


class Point(NamedTuple):
    """One value of a metric; written again it is the same, because nothing of it is made up on the way.

    Args:
        key: Metric, as MLflow names it.
        value: Finite.
        time: Milliseconds since the epoch.
        step: Place in the curve.
    """

    key: str
    value: float
    time: int
    step: int


@dataclass(frozen=True)
class DatasetUse:
    """A dataset that a run read; `digest` and `source` as MLflow wants them."""

    name: str
    digest: str
    source: str
    profile: str
    context: str


@dataclass(frozen=True)
class Picture:
    """What MLflow must hold of a run.

    Args:
        run: Identity in our log.
        attempt: The attempt that the points are of.
        user: Who ran it; MLflow takes it at the run's creation only.
        status: One of MLflow's.
        start: Milliseconds since the epoch.
        end: The same; ``None`` while it runs.
        params: By MLflow's name.
        tags: By MLflow's name.
        points: Curves and values of other roles.
        finals: The values that must be each metric's latest.
        datasets: What it read.
        is_archived: Whether MLflow must show it as deleted.
    """

    run: int
    attempt: int
    user: str
    status: str
    start: int
    end: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    finals: tuple[Point, ...]
    datasets: tuple[DatasetUse, ...]
    is_archived: bool


def run_key(identity: str, run: int) -> str:
    """The value of the tag by which a run is mirrored once: no other run of any log has it."""
    return f"{identity}/{run}"


def run_title(run: Run) -> str:
    """The run's name, else its number."""
    return run.name or (f"run {run.number}" if run.number else f"run #{run.id}")


def picture(run: Run, *, identity: str, known: Names) -> Picture:
    """What MLflow must hold of `run`.

    Args:
        run: With its curve.
        identity: The log's.
        known: Names that were changed when the run was mirrored before.
    """
    facts = {_tag_label(name): value for name, value in run.metadata.items()}
    names = {
        "params": wording.keys(run.assignments, known.get("params", {})),
        "metrics": wording.keys(_metric_labels(run), known.get("metrics", {})),
        "tags": wording.keys(facts, known.get("tags", {})),
    }
    metric_keys = names["metrics"]
    points = tuple(_curve(run, metric_keys)) + tuple(_late(run, metric_keys))
    own = {**_identity_tags(run, identity), **_story_tags(run), **_source_tags(run)}
    own |= {NAMES: _changed(names), METADATA: _list(names["tags"].values()), "heliostat.nonfinite": _odd(run)}
    tags = {key: value for key, value in own.items() if value}
    tags |= {names["tags"][label]: wording.text(value) for label, value in facts.items()}
    params = {key: wording.text(run.assignments[name]) for name, key in names["params"].items()}
    return Picture(
        run=run.id,
        attempt=run.attempt,
        user=run.user,
        status=STATUSES[run.state],
        start=milliseconds(run.started or run.created),
        end=None if run.ended is None else milliseconds(run.ended),
        params={key: wording.cut(value, wording.LONGEST_PARAM) for key, value in params.items()},
        tags={key: wording.cut(wording.text(value), wording.LONGEST_TAG) for key, value in tags.items()},
        points=points,
        finals=tuple(_finals(run, metric_keys, points)),
        datasets=tuple(dataset_use(name, facts) for name, facts in run.datasets.items()),
        is_archived=run.archived,
    )


def dataset_use(name: str, facts: Mapping[str, Any]) -> DatasetUse:
    """A dataset in MLflow's form; without a digest of its own it gets one of its facts."""
    told = json.dumps(dict(facts), ensure_ascii=False, default=str, sort_keys=True)
    digest = next((str(facts[key]) for key in ("digest", "md5", "sha256", "hash") if facts.get(key)), "")
    source = str(facts.get("source") or facts.get("url") or facts.get("path") or name)
    return DatasetUse(
        name=wording.cut(wording.text(name), 500, "cut"),
        digest=wording.text(digest or wording.fingerprint(told))[:36],
        source=json.dumps({"source": wording.cut(wording.text(source), 8000)}),
        profile=wording.text(told) if facts and len(told) < 1_000_000 else "",
        context=wording.cut(wording.text(facts.get("context") or ""), 500, "cut"),
    )


def _identity_tags(run: Run, identity: str) -> dict[str, str]:
    return {
        RUN: run_key(identity, run.id),
        LOG: identity,
        ATTEMPT: str(run.attempt),
        "heliostat.project": run.project,
        "heliostat.experiment": "" if run.experiment is None else str(run.experiment),
        "heliostat.trial": str(run.number) if run.number else "",
        "heliostat.origin": run.origin,
        "heliostat.searcher": run.searcher,
        "heliostat.task": run.task or "",
        "heliostat.model": run.model or "",
    }


def _story_tags(run: Run) -> dict[str, str]:
    failure = "" if run.failure is None else f"{run.failure.kind}: {run.failure.message}"
    return {
        NAME: wording.cut(run_title(run), wording.LONGEST_NAME, "cut"),
        "heliostat.state": str(run.state),
        "heliostat.end_reason": run.end_reason,
        "heliostat.failure": failure,
        "heliostat.why": run.why,
        "heliostat.favorite": "true" if run.favorite else "",
        "mlflow.note.content": run.note,
        **{f"heliostat.tag.{wording.plain_name(tag)}"[: wording.LONGEST_NAME]: "true" for tag in run.tags},
    }


def _source_tags(run: Run) -> dict[str, str]:
    facts = run.dev_metadata
    command = str(facts.get("command") or "")
    script = next((word for word in command.split() if word.strip("'\"").endswith((".py", ".ipynb"))), "")
    tags = {
        "mlflow.source.name": script.strip("'\"").rpartition("/")[2] or command[:200],
        "mlflow.source.git.commit": run.source_hash or str(facts.get("git.commit") or ""),
        "mlflow.source.git.branch": str(facts.get("git.branch") or ""),
        "mlflow.source.git.dirty": str(facts["git.dirty"]).lower() if "git.dirty" in facts else "",
    }
    # A source without a type is shown as unknown, a type without a source as an empty link.
    return {**tags, "mlflow.source.type": "LOCAL" if tags["mlflow.source.name"] else ""}


def _tag_label(name: str) -> str:
    # MLflow's own tags change how it treats a run; a fact of the user's must not become one of them.
    return f"metadata.{name}" if name.startswith(("mlflow.", OWN)) else name


def _metric_labels(run: Run) -> Iterator[str]:
    own = _measured(run)
    yield from own
    for name, measured in run.values.items():
        if measured.stddev is not None:
            yield _spread(name)
    for role, metrics in run.late.items():
        for name, items in metrics.items():
            yield _late_label(own, role, name)
            if any(item.stddev is not None for item in items):
                yield _spread(_late_label(own, role, name))


def _measured(run: Run) -> set[str]:
    """The run's own metrics: what is derived from others must not take their names."""
    return {*run.values, *(name for point in run.curve for name in point.values)}


def _spread(label: str) -> str:
    return f"{label}.stddev"


def _late_label(own: set[str], role: str, name: str) -> str:
    label = f"{role}/{name}"
    while label in own or _spread(label) in own or label.removesuffix(".stddev") in own:
        label += " - late"
    return label


def _curve(run: Run, names: Mapping[str, str]) -> Iterator[Point]:
    for point in run.curve:
        time = milliseconds(point.time or run.created)
        for name, value in point.values.items():
            if math.isfinite(value):
                yield Point(names[name], float(value), time, int(point.step))


def _late(run: Run, names: Mapping[str, str]) -> Iterator[Point]:
    own = _measured(run)
    for role, metrics in run.late.items():
        for name, measured in metrics.items():
            label = _late_label(own, role, name)
            for item in measured:
                for key, value in ((label, item.value), (_spread(label), item.stddev)):
                    if value is not None and math.isfinite(value):
                        yield Point(names[key], float(value), milliseconds(item.time), 0)


def _finals(run: Run, names: Mapping[str, str], points: Iterable[Point]) -> Iterator[Point]:
    last: dict[str, Point] = {}
    for point in points:
        last[point.key] = max(point, last.get(point.key, point), key=_age)
    own = _measured(run)
    told = milliseconds(run.ended or run.updated or run.created)
    for name, measured in run.values.items():
        for label, value in ((name, measured.value), (_spread(name), measured.stddev)):
            if value is None or not math.isfinite(value) or (label != name and label in own):
                continue
            before = last.get(names[label], Point("", 0.0, 0, 0))
            yield Point(names[label], float(value), max(told, before.time), before.step)


def _age(point: Point) -> tuple[int, int]:
    return point.step, point.time


def _changed(names: Names) -> str:
    changed = {
        kind: {name: key for name, key in found.items() if name != key} for kind, found in names.items()
    }
    found = {kind: pairs for kind, pairs in changed.items() if pairs}
    return json.dumps(found, ensure_ascii=False, sort_keys=True) if found else ""


def _list(found: Iterable[str]) -> str:
    listed = sorted(found)
    return json.dumps(listed, ensure_ascii=False) if listed else ""


def _odd(run: Run) -> str:
    """Which values are not numbers that MLflow keeps as they are: it makes ``inf`` 1.8e308."""
    odd: dict[str, str] = {}
    steps: dict[str, list[int]] = {}
    for point in run.curve:
        for name, value in point.values.items():
            if not math.isfinite(value):
                steps.setdefault(name, []).append(point.step)
    for name, found in steps.items():
        shown = ", ".join(map(str, found[:_MOST_STEPS_NAMED]))
        more = f" and {len(found) - _MOST_STEPS_NAMED} more" if len(found) > _MOST_STEPS_NAMED else ""
        odd[name] = f"not finite at step {shown}{more}"
    odd |= {name: repr(item.value) for name, item in run.values.items() if not math.isfinite(item.value)}
    return json.dumps(odd, ensure_ascii=False) if odd else ""
