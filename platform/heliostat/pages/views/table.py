"""The table of runs: what is asked for by an address, and the rows and columns that answer it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heliostat.analysis import standing
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.figures.numbers import short
from heliostat.pages.views.times import ago, day, lasted
from heliostat.query import And, Condition, Filter, Or, RunPage, RunQuery, field, read_where
from heliostat.trial import Run, State

ROWS = 50
"""Rows of a page of the table."""

MOST_COLUMNS = 40
"""Columns shown unless others are chosen; wider tables are chosen column by column."""

TONES = {
    "failed": "bad", "infeasible": "bad", "incomplete": "bad", "lost": "bad",
    "feasible": "good", "completed": "good", "active": "accent",
}  # fmt: skip
WORDS = {"infeasible": "over guardrail", "incomplete": "no finite metrics", "feasible": "completed"}


@dataclass(frozen=True)
class Asked:
    """What an address asks of a table.

    Args:
        where: A condition in its text form, or one word that is a state.
        brush: By axis: what is kept of it, a range or names; as brushing on parallel axes leaves it.
        sort: Name of a field.
        ascending: The direction.
        columns: Names of fields; empty for the usual ones.
        before: Cursor of the page after this one.
        after: Cursor of the page before this one.
        archived: Whether archived runs are shown.
    """

    where: str = ""
    brush: str = ""
    sort: str = "id"
    ascending: bool = False
    columns: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    archived: bool = False

    def query(self, limit: int | None = ROWS) -> RunQuery:
        """The query.

        Raises:
            InvalidValue: The condition or another part of the address breaks a rule.
        """
        conditions = [*_conditions(self.where), *_brushed(self.brush)]
        return RunQuery(
            And(tuple(conditions)) if conditions else None,
            sort=self.sort,
            ascending=self.ascending,
            limit=limit,
            before=self.before or None if limit is not None else None,
            after=self.after or None if limit is not None else None,
            archived=self.archived,
        )

    def facts(self, **changes: Any) -> dict[str, Any]:
        """The parts of an address that ask this, with changes; those that are as usual are left out."""
        found = replace(self, **changes)
        usual = Asked()
        asked = {
            name: getattr(found, name) for name in vars(usual) if getattr(found, name) != getattr(usual, name)
        }
        return {name: ("1" if item is True else item) for name, item in asked.items()}


@dataclass(frozen=True)
class Column:
    """A column: the field it shows, its head, what it belongs to, whether it holds numbers."""

    name: str
    title: str
    group: str
    is_number: bool = False


@dataclass(frozen=True)
class Cell:
    """A value as text, in full, and its tone."""

    text: str
    full: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """A run's row; `key` is what charts call it (its number in an experiment)."""

    id: int
    key: int
    cells: tuple[Cell, ...]
    is_archived: bool


@dataclass(frozen=True)
class Table:
    """Rows and columns, and what else could be asked for.

    Args:
        asked: What was asked for.
        columns: Those shown.
        choices: All that could be shown.
        lines: Rows of this page.
        count: How many runs match.
        before: Cursor to the page before, if any.
        after: Cursor to the page behind, if any.
        error: Why the address could not be answered; empty if it was.
    """

    asked: Asked
    columns: tuple[Column, ...]
    choices: tuple[Column, ...]
    lines: tuple[Line, ...] = ()
    count: int = 0
    before: str | None = None
    after: str | None = None
    error: str = ""

    @property
    def example(self) -> str:
        """A condition as one may be written."""
        metrics = [column.name for column in self.choices if column.group == "metrics"]
        more = f" and {field(metrics[0])} > 0.5" if metrics else ""
        return f"state = completed{more}"


def read_asked(given: Mapping[str, str], columns: Sequence[str]) -> Asked:
    """What the parts of an address ask for; unknown parts are others' business."""
    return Asked(
        where=given.get("where", "").strip(),
        brush=given.get("brush", ""),
        sort=given.get("sort") or "id",
        ascending=given.get("ascending", "") in ("1", "true"),
        columns=tuple(dict.fromkeys(name for name in columns if name)),
        before=given.get("before", ""),
        after=given.get("after", ""),
        archived=given.get("archived", "") in ("1", "true"),
    )


def table(asked: Asked, page: RunPage, spec: ExperimentSpec | None, known: Sequence[Run] = ()) -> Table:
    """The table of a page of runs.

    Args:
        asked: What was asked for.
        page: The answer.
        spec: Of their experiment, if they are of one.
        known: More runs whose columns may be shown.
    """
    choices = _choices(spec, (*page.runs, *known))
    columns = _shown(asked, choices, page.runs)
    lines = tuple(
        Line(
            run.id,
            run.id if spec is None else run.number,
            tuple(_cell(run, column, spec) for column in columns),
            run.archived,
        )
        for run in page.runs
    )
    return Table(asked, columns, choices, lines, page.count, page.before, page.after)


def refused(asked: Asked, spec: ExperimentSpec | None, error: InvalidValue) -> Table:
    """The table of an address that breaks a rule: no rows, and why."""
    choices = _choices(spec, ())
    return Table(asked, choices[:MOST_COLUMNS], choices, error=str(error))


def _conditions(where: str) -> list[Condition]:
    if not where:
        return []
    word = where.lower().replace(" ", "_")
    if word in [state.value for state in State]:
        return [Filter("state", "==", word)]
    found = read_where(where)
    return [] if found is None else [found]


def _brushed(text: str) -> list[Condition]:
    """``{"params.lr": [0.1, 1], "params.kind": ["a", "b"]}`` as conditions."""
    if not text:
        return []
    try:
        given = json.loads(text)
        pairs = [(str(name), list(kept)) for name, kept in given.items()]
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise InvalidValue("brush", "must be an object of lists", given=text[:100]) from None
    found: list[Condition] = []
    for name, kept in pairs:
        if len(kept) == 2 and all(isinstance(item, (int, float)) for item in kept):
            found += [Filter(name, ">=", kept[0]), Filter(name, "<=", kept[1])]
        else:
            found.append(Or(tuple(Filter(name, "==", str(item)) for item in kept)))
    return found


def _choices(spec: ExperimentSpec | None, runs: Sequence[Run]) -> tuple[Column, ...]:
    declared = [] if spec is None else [metric.name for metric in spec.metrics.all]
    metrics = [*declared, *sorted({name for run in runs for name in run.values} - set(declared))]
    own = [] if spec is None else [item.name for item in spec.space.dimensions]
    parameters = [*own, *sorted({name for run in runs for name in run.assignments} - set(own))]
    facts = sorted({name for run in runs for name in run.metadata})
    first = [Column("id", "run", "run", True)] if spec is None else [Column("number", "run", "run", True)]
    if spec is None:
        first += [Column("name", "name", "run"), Column("experiment", "experiment", "run", True)]
    numbers = {name for run in runs for name, value in run.assignments.items() if _is_number(value)}
    return (
        *first,
        Column("state", "state", "run"),
        Column("origin", "origin", "run"),
        *(Column(f"metrics.{name}", name, "metrics", True) for name in metrics),
        *(Column(f"params.{name}", name, "parameters", name in numbers) for name in parameters),
        *((Column("task", "task", "run"),) if spec is not None and spec.tasks else ()),
        Column("seconds", "duration", "run", True),
        Column("created", "created", "run"),
        Column("tags", "tags", "run"),
        *((Column("name", "name", "run"),) if spec is not None else ()),
        Column("user", "user", "more"),
        Column("model", "model", "more"),
        Column("datasets", "datasets", "more"),
        Column("searcher", "searcher", "more"),
        Column("end_reason", "end reason", "more"),
        Column("failure", "failure", "more"),
        Column("favorite", "favorite", "more"),
        Column("attempt", "attempt", "more", True),
        Column("id", "id", "more", True) if spec is not None else Column("project", "project", "more"),
        *(Column(f"metadata.{name}", name, "metadata") for name in facts),
    )


def _shown(asked: Asked, choices: Sequence[Column], runs: Sequence[Run]) -> tuple[Column, ...]:
    """The chosen columns, or the usual ones: facts that none of the runs has are left out of those."""
    known = {column.name: column for column in choices}
    if not asked.columns:
        usual = [item for item in choices if item.group not in ("more", "metadata")]
        return tuple(item for item in usual if item.group != "run" or _is_given(item, runs))[:MOST_COLUMNS]
    chosen = []
    for name in asked.columns:
        try:
            label = field(name).label
        except InvalidValue:
            continue  # a column of a link that is older than this version
        chosen.append(known.get(name) or Column(name, label.partition(".")[2] or label, "more"))
    first = choices[0]
    return tuple(dict.fromkeys((first, *chosen)))


def _is_given(column: Column, runs: Sequence[Run]) -> bool:
    return not runs or any(field(column.name).read(run) not in (None, ()) for run in runs)


def _cell(run: Run, column: Column, spec: ExperimentSpec | None) -> Cell:
    if column.name == "state":
        word = run.state.value if spec is None else standing(spec, run).value
        tone = TONES.get(word, "")
        return Cell(WORDS.get(word, word.replace("_", " ")), run.end_reason, tone)
    value = field(column.name).read(run)
    if value is None or value == ():
        return Cell("–", "not given")
    if column.name in ("created", "started", "ended"):
        return Cell(ago(value), day(value))
    if column.name == "seconds":
        return Cell(lasted(value), f"{value} s")
    if isinstance(value, (tuple, list, set, frozenset, Mapping)):
        text = ", ".join(str(item) for item in sorted(value, key=str))
        return Cell(text or "–", text)
    return Cell(short(value) if not _is_odd(value) else str(value), str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
