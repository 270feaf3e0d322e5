"""A run's page: its facts in groups, its files, its texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heliostat.experiment import ExperimentSpec
from heliostat.figures.limits import limit_text
from heliostat.figures.numbers import short
from heliostat.pages.views.times import day
from heliostat.ports import FileRecord
from heliostat.report.tables import Cell, cell
from heliostat.service.wire.run_objects import HIDDEN, SOURCE
from heliostat.tracking.images import TYPES
from heliostat.trial import Run

LONGEST = 200_000
"""Characters of a text that are shown, from its end; the wire has all of it."""

DIFF = "diff"
_IMAGES = frozenset(TYPES.values()) - {"image/svg+xml"}  # an SVG may hold scripts


@dataclass(frozen=True)
class MetricRow:
    """A metric of the run: its role, its value, whether it keeps its limit, what was predicted."""

    name: str
    role: str
    value: Cell
    stddev: str
    predicted: str
    verdict: str
    tone: str


@dataclass(frozen=True)
class Text:
    """One text of the run; `cut` characters at its beginning are not shown."""

    name: str
    content: str
    cut: int


@dataclass(frozen=True)
class ShownFile:
    """A file with an address for it."""

    name: str
    kind: str
    size: int
    url: str
    is_image: bool


@dataclass(frozen=True)
class RunView:
    """What the page prints.

    Args:
        metrics: By role.
        late: ``(role, metric, value, when)``.
        parameters: ``(group, ((name, cell), …))``.
        facts: Metadata.
        system: What Heliostat captured or reads itself.
        datasets: ``(name, facts)``.
        texts: Logs.
        source: The code.
        diff: What the code differs by from its commit.
        files: Files that are no images.
        images: Files that are.
    """

    metrics: tuple[MetricRow, ...]
    late: tuple[tuple[str, str, str, str], ...]
    parameters: tuple[tuple[str, tuple[tuple[str, Cell], ...]], ...]
    facts: tuple[tuple[str, str], ...]
    system: tuple[tuple[str, str], ...]
    datasets: tuple[tuple[str, str], ...]
    texts: tuple[Text, ...]
    source: Text | None
    diff: Text | None
    files: tuple[ShownFile, ...]
    images: tuple[ShownFile, ...]


def run_view(
    run: Run,
    spec: ExperimentSpec | None,
    texts: Mapping[str, str],
    files: Sequence[tuple[FileRecord, str]],
) -> RunView:
    """The view of a run.

    Args:
        run: The run.
        spec: Of its experiment, if it is of one.
        texts: By stream.
        files: Each with its address.
    """
    shown = [_file(record, url) for record, url in files]
    streams = sorted(name for name in texts if name not in (SOURCE, DIFF))
    system = {key: item for key, item in run.sys_metadata.items() if key != HIDDEN}
    return RunView(
        metrics=_metrics(run, spec),
        late=_late(run),
        parameters=_parameters(run),
        facts=_pairs(run.metadata),
        system=_pairs({**run.dev_metadata, **system}),
        datasets=tuple((name, _words(facts)) for name, facts in sorted(run.datasets.items())),
        texts=tuple(_text(name, texts[name]) for name in streams if texts[name]),
        source=_text(SOURCE, texts[SOURCE]) if texts.get(SOURCE) else None,
        diff=_text(DIFF, texts[DIFF]) if texts.get(DIFF) else None,
        files=tuple(item for item in shown if not item.is_image),
        images=tuple(item for item in shown if item.is_image),
    )


def _metrics(run: Run, spec: ExperimentSpec | None) -> tuple[MetricRow, ...]:
    declared = {} if spec is None else {metric.name: metric for metric in spec.metrics.all}
    roles = {"optimize": "objective", "constraint": "guardrail", "store": "stored"}
    rows = []
    for name in dict.fromkeys((*declared, *run.values)):
        metric, measured = declared.get(name), run.values.get(name)
        predicted = run.predicted.get(name)
        verdict = tone = ""
        if metric is not None and metric.threshold is not None and measured is not None:
            is_met = math.isfinite(measured.value) and metric.is_met(measured.value)
            verdict = f"{'keeps' if is_met else 'misses'} {limit_text(metric)}"
            tone = "good" if is_met else "bad"
        rows.append(
            MetricRow(
                name,
                "reported" if metric is None else roles[metric.strategy],
                cell(None if measured is None else measured.value),
                "" if measured is None or measured.stddev is None else f"± {short(measured.stddev)}",
                "" if predicted is None else f"{short(predicted.mean)} ± {short(predicted.stddev)}",
                verdict,
                tone,
            )
        )
    return tuple(rows)


def _late(run: Run) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (role, name, short(item.value), day(item.time))
        for role, metrics in sorted(run.late.items())
        for name, series in sorted(metrics.items())
        for item in series
    )


def _parameters(run: Run) -> tuple[tuple[str, tuple[tuple[str, Cell], ...]], ...]:
    groups: dict[str, list[tuple[str, Cell]]] = {}
    for name, value in run.assignments.items():
        groups.setdefault(run.parameter_sources.get(name, ""), []).append((name, cell(value)))
    order = sorted(groups, key=lambda group: (run.sources.get(group, {}).get("sort") or 0, group))
    return tuple((group, tuple(groups[group])) for group in order)


def _pairs(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _words(value)) for name, value in sorted(facts.items()))


def _words(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str) if value else ""
    return short(value) if isinstance(value, float) and math.isfinite(value) else str(value)


def _text(name: str, content: str) -> Text:
    return Text(name, content[-LONGEST:], max(len(content) - LONGEST, 0))


def _file(record: FileRecord, url: str) -> ShownFile:
    name = record.name if record.filename in (None, record.name) else f"{record.name} ({record.filename})"
    return ShownFile(name, record.content_type, record.size, url, record.content_type in _IMAGES)
