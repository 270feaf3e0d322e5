"""Reports as Markdown, for notes, mail and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from heliostat.report.metrics import RULE, MetricsReport, RoleValue
from heliostat.report.view import View

MOST_FAILURES = 10


def escaped(text: str) -> str:
    """A user's text on one line, without a meaning in Markdown or HTML."""
    plain = re.sub(r"\s+", " ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]{}|#~$])", r"\\\1", plain)


def markdown(view: View) -> str:
    """The report of an experiment: headlines, leaders, the findings of each figure, failures."""
    parts = [f"# {escaped(view.title)}", *_comment(view.comment)]
    states = ", ".join(f"{number} {escaped(words)}" for _, words, number in view.states)
    parts.append(f"{view.counts.total} runs: {states}." if states else "No runs yet.")
    parts.append(
        "\n".join(
            f"- **{escaped(item.label)}**: {escaped(item.value)} ({escaped(item.detail)})"
            for item in view.headlines
        )
    )
    if view.best:
        pairs = [(name, value.text) for name, value in view.best.pairs]
        parts.append(f"## Best assignment, run {view.best.number}")
        parts.append(_table(("parameter", "value"), pairs))
    if view.leaders and view.leaders.rows:
        parts.append("## Pareto front")
        rows = [[str(row.number), *(cell.text for cell in row.cells)] for row in view.leaders.rows]
        parts.append(_table(("run", *view.leaders.heads), rows))
    parts.append("## Findings")
    cards = [card for card in (*view.cards, *view.analyses) if card.figure is not None]
    parts.append(
        "\n".join(f"- **{card.title}**: {escaped(card.claim or card.how_to_read)}" for card in cards)
    )
    if view.failures.listed:
        parts.append("## Failures")
        listed = view.failures.listed[:MOST_FAILURES]
        parts.append(
            "\n".join(
                f"- run {item.number}, {escaped(item.kind)}: {escaped(item.message)}" for item in listed
            )
        )
    parts.append(f"Made {view.generated}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def metrics_markdown(report: MetricsReport) -> str:
    """The report on metrics."""
    parts = [f"# {escaped(report.title)}", *_comment(report.comment)]
    parts += ["## The question", escaped(report.question)]
    parts += [f"## The answer: {'ready' if report.is_ready else 'not ready'}", escaped(report.answer)]
    if report.pairs:
        parts.append(_table(("parameter", "value"), [(name, value.text) for name, value in report.pairs]))
    parts += [RULE, "## The evidence"]
    if report.rows:
        rows = [[row.name, row.wanted, *map(_told, row.values)] for row in report.rows]
        parts.append(_table(("metric", "wanted", *report.roles), rows))
    if report.late_runs:
        parts.append("### Other runs that were measured later")
        later = [[str(run.number), *map(_told, run.values)] for run in report.late_runs]
        parts.append(_table(("run", *report.late_heads), later))
    parts += ["### What matters for what", _list(report.matters), "## The caveats", _list(report.caveats)]
    parts.append(f"Made {report.generated}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _comment(text: str) -> list[str]:
    return [escaped(part) for part in text.split("\n\n") if part.strip()]


def _told(value: RoleValue) -> str:
    return value.text if value.is_kept is None else f"{value.text} {'kept' if value.is_kept else 'MISSED'}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(line)}" for line in lines)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(text if text == '---' else escaped(text) for text in line)} |" for line in lines
    )
