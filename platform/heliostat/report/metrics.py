"""The report on metrics: the question, the answer, the evidence, the caveats, on one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heliostat.analysis import Importance, Standing, importances, leaders
from heliostat.analysis.feasibility import in_standing
from heliostat.experiment import ExperimentSpec
from heliostat.figures import Card, best_so_far, trade_off, trade_offs
from heliostat.figures.limits import limit_text
from heliostat.figures.numbers import short
from heliostat.figures.svg import can_draw
from heliostat.metrics import Metric
from heliostat.report.caveats import caveats
from heliostat.report.dates import day_of
from heliostat.report.tables import Cell, cell
from heliostat.trial import LateMeasurement, Measurement, Run

VALIDATION = "validation"
RULE = (
    "Ready = a completed run keeps every guardrail, in validation and, where it was measured there, "
    "in production."
)
"""The rule behind the answer, printed under it."""

MOST_RUNS = 8
"""Most rows of runs with later values."""


@dataclass(frozen=True)
class RoleValue:
    """A metric's value in one role.

    Args:
        text: For people, ``–`` where it was not measured.
        is_kept: Whether it keeps the metric's limit; ``None`` without limit or value.
    """

    text: str
    is_kept: bool | None = None


@dataclass(frozen=True)
class MetricRow:
    """One metric of the run that is the answer: what is wanted of it and its value in each role."""

    name: str
    wanted: str
    values: tuple[RoleValue, ...]


@dataclass(frozen=True)
class LateRun:
    """A run with later values: what validation said of it, what came later."""

    number: int
    values: tuple[RoleValue, ...]


@dataclass(frozen=True)
class MetricsReport:
    """All that the page says.

    Args:
        title: Of the page.
        comment: Its author's words.
        project: The experiment's project.
        name: The experiment's name.
        generated: When it was made.
        question: What the experiment asks.
        is_ready: Whether there is a run to put into production.
        answer: One or two sentences.
        pairs: The answer's parameters.
        roles: Columns of `rows`: validation first, then those that later values came in.
        rows: Metrics, in declared order, then others that were measured later.
        late_heads: Columns of `late_runs`.
        late_runs: Other runs with later values.
        matters: Which parameters matter for which metric, one sentence each.
        caveats: What to know before relying on the answer.
        cards: Figures.
    """

    title: str
    comment: str
    project: str
    name: str
    generated: str
    question: str
    is_ready: bool
    answer: str
    pairs: tuple[tuple[str, Cell], ...]
    roles: tuple[str, ...]
    rows: tuple[MetricRow, ...]
    late_heads: tuple[str, ...]
    late_runs: tuple[LateRun, ...]
    matters: tuple[str, ...]
    caveats: tuple[str, ...]
    cards: tuple[Card, ...]


def metrics_report(
    spec: ExperimentSpec,
    runs: Sequence[Run],
    *,
    title: str | None = None,
    comment: str = "",
    generated: float,
) -> MetricsReport:
    """The report on an experiment's metrics.

    Args:
        spec: The experiment.
        runs: Its runs, with their later values.
        title: Of the page; by default the experiment's name.
        comment: Its author's words.
        generated: When, in seconds since the epoch.
    """
    runs = [run for run in runs if not run.archived]
    chosen = _answer_run(spec, runs)
    missed = _missed_later(spec, chosen)
    roles = (VALIDATION, *sorted({role for run in runs for role in run.late}))
    others = [run for run in runs if run.late and run is not chosen][-MOST_RUNS:]
    heads = _late_heads(spec, others)
    drawn = (best_so_far(spec, runs), _narrowest(spec, runs))
    return MetricsReport(
        title=title or f"{spec.name}: report on metrics",
        comment=comment,
        project=spec.project,
        name=spec.name,
        generated=day_of(generated),
        question=_question(spec),
        is_ready=chosen is not None and not missed,
        answer=_answer(spec, runs, chosen, missed),
        pairs=tuple((name, cell(value)) for name, value in chosen.assignments.items()) if chosen else (),
        roles=roles,
        rows=_rows(spec, chosen, roles) if chosen else (),
        late_heads=tuple(f"{name}, {role}" for name, role in heads),
        late_runs=tuple(
            LateRun(run.number, tuple(_value(spec, run, *head) for head in heads)) for run in others
        ),
        matters=tuple(_matter(item) for item in importances(spec, runs)),
        caveats=caveats(spec, runs, chosen),
        cards=tuple(card for card in drawn if can_draw(card)),
    )


def latest(values: Sequence[LateMeasurement]) -> LateMeasurement:
    """The value that held last."""
    return max(values, key=lambda value: value.time)


def _narrowest(spec: ExperimentSpec, runs: Sequence[Run]) -> Card:
    """The trade-off with the guardrail that most runs miss; without guardrails the first there is."""
    goals, limits = spec.metrics.objectives, spec.metrics.guardrails
    if not goals or not limits:
        return trade_offs(spec, runs)[0]
    counted = in_standing(spec, runs, Standing.FEASIBLE, Standing.INFEASIBLE)
    missed = {
        metric.name: sum(not metric.is_met(run.numbers[metric.name]) for run in counted) for metric in limits
    }
    return trade_off(spec, runs, max(missed, key=lambda name: missed[name]), goals[0].name)


def _answer_run(spec: ExperimentSpec, runs: Sequence[Run]) -> Run | None:
    """The best run; of a front the best in the first objective, among equals the earliest.

    Where later values came in, runs that keep the guardrails there as well come first.
    """
    first = spec.metrics.steering[0]
    found = sorted(leaders(spec, runs), key=lambda run: -first.sign * run.numbers[first.name])
    return min(found, key=lambda run: bool(_missed_later(spec, run)), default=None)


def _missed_later(spec: ExperimentSpec, run: Run | None) -> list[tuple[str, Metric, float]]:
    """``(role, guardrail, value)`` of each limit that the run missed later."""
    missed = []
    for role, metrics in sorted((run.late if run else {}).items()):
        for metric in spec.metrics.guardrails:
            if metrics.get(metric.name):
                value = latest(metrics[metric.name]).value
                if not metric.is_met(value):
                    missed.append((role, metric, value))
    return missed


def _question(spec: ExperimentSpec) -> str:
    goals = [
        f"the {'highest' if metric.sign > 0 else 'lowest'} {metric.name}"
        for metric in spec.metrics.objectives
    ]
    limits = [limit_text(metric) for metric in spec.metrics.guardrails]
    names = ", ".join(item.name for item in spec.space.dimensions[:6])
    more = spec.space.d - 6
    settings = f"{names} and {more} more" if more > 0 else names
    asked = f"Which {settings} give {' and '.join(goals)}" if goals else f"Which {settings} keep all limits"
    return f"{asked}{', with ' if goals else ': '}{' and '.join(limits)}?" if limits else f"{asked}?"


def _answer(
    spec: ExperimentSpec, runs: Sequence[Run], chosen: Run | None, missed: Sequence[tuple[str, Metric, float]]
) -> str:
    if chosen is None:
        limits = " and ".join(limit_text(metric) for metric in spec.metrics.guardrails)
        done = sum(run.state.value == "completed" for run in runs)
        why = f"none of {done} completed runs keeps {limits}" if limits and done else "no run has completed"
        return f"There is no answer yet: {why}."
    values = ", ".join(
        f"{metric.name} {short(chosen.numbers[metric.name])}" for metric in spec.metrics.steering
    )
    answer = f"Run {chosen.number}: {values}."
    if missed:
        told = "; ".join(
            f"in {role} {metric.name} is {short(value)}, not {limit_text(metric)}"
            for role, metric, value in missed
        )
        return f"{answer} But {told}."
    kept = " It keeps every guardrail." if spec.metrics.guardrails else ""
    several = len(leaders(spec, runs)) - 1
    front = (
        f" {several} other runs trade one objective for another."
        if several and len(spec.metrics.objectives) > 1
        else ""
    )
    return f"{answer}{kept}{front}"


def _rows(spec: ExperimentSpec, run: Run, roles: Sequence[str]) -> tuple[MetricRow, ...]:
    declared = {metric.name: _wanted(metric) for metric in spec.metrics.all}
    later = sorted({name for metrics in run.late.values() for name in metrics} - set(declared))
    wanted: Mapping[str, str] = {**declared, **dict.fromkeys(later, "known only later")}
    return tuple(
        MetricRow(name, words, tuple(_value(spec, run, name, role) for role in roles))
        for name, words in wanted.items()
    )


def _wanted(metric: Metric) -> str:
    if metric.strategy == "store":
        return "recorded"
    if metric.threshold is not None:
        return limit_text(metric).removeprefix(metric.name).strip()
    return "as high as possible" if metric.sign > 0 else "as low as possible"


def _value(spec: ExperimentSpec, run: Run, name: str, role: str) -> RoleValue:
    found: Measurement | LateMeasurement | None
    if role == VALIDATION:
        found = run.values.get(name)
    else:
        known = run.late.get(role, {}).get(name)
        found = latest(known) if known else None
    if found is None or not math.isfinite(found.value):
        return RoleValue("–")
    text = short(found.value) + (f" ± {short(found.stddev)}" if found.stddev else "")
    limit = next(
        (metric for metric in spec.metrics.all if metric.name == name and metric.threshold is not None), None
    )
    return RoleValue(text, limit.is_met(found.value) if limit is not None else None)


def _late_heads(spec: ExperimentSpec, runs: Sequence[Run]) -> list[tuple[str, str]]:
    """``(metric, role)`` of each column: the first steering metric as validated, then all later ones."""
    if not runs:
        return []
    later = sorted({(name, role) for run in runs for role, metrics in run.late.items() for name in metrics})
    return [(spec.metrics.steering[0].name, VALIDATION), *later][:6]


def _matter(found: Importance) -> str:
    high = [name for name in found.shares if found.word(name) == "High"]
    if found.unclear or not high:
        return f"{found.metric}: not clear yet ({found.unclear or 'no parameter stands out'})."
    verb = "matters" if len(high) == 1 else "matter"
    return f"{found.metric}: {' and '.join(high)} {verb} most."
