"""Runs: one execution of user code each, with what it was given and what came back.

A trial of Ray Tune and a run are one to one. A run starts ``active`` and ends once, always with a reason::

    active ─▶ completed      the code finished and reported every steering metric
           ├▶ early_stopped  a scheduler ended it; its values are what it had shown so far
           ├▶ failed         the user's code failed: this teaches the failure region
           ├▶ lost           infrastructure failed (node, driver): teaches nothing, may be tried again
           └▶ cancelled      the user ended it (Ctrl-C): teaches nothing
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from heliostat.space import Value


class State(str, Enum):
    """Where a run is in its life."""

    ACTIVE = "active"
    COMPLETED = "completed"
    EARLY_STOPPED = "early_stopped"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self is State.ACTIVE

    @property
    def uses_budget(self) -> bool:
        """Whether such a run counts against the experiment's budget."""
        return self not in (State.LOST, State.CANCELLED)


@dataclass(frozen=True)
class Measurement:
    """A metric's value with its standard error, if known (same unit, ≥ 0)."""

    value: float
    stddev: float | None = None


@dataclass(frozen=True)
class Checkpoint:
    """One point of a training curve.

    Args:
        step: Growing within a run: epoch, iteration or any unit of work.
        values: Metric values at that step; may be NaN.
        time: Seconds since the epoch, by the reporter's clock.
    """

    step: int
    values: Mapping[str, float]
    time: float = 0.0


@dataclass(frozen=True)
class Failure:
    """Why a run failed or was lost.

    Args:
        kind: Short class of cause: one of :data:`heliostat.failures.KINDS`, or another's word.
        message: One line for people.
        traceback: The user's traceback, empty if there is none.
    """

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Prediction:
    """What a model expected of a metric at a suggested point: mean and standard deviation."""

    mean: float
    stddev: float


@dataclass(frozen=True)
class LateMeasurement:
    """A metric's value in another role than validation, at its own time.

    Args:
        value: The number.
        time: Seconds since the epoch: when it held, not when it was logged.
        stddev: Standard error, if known.
    """

    value: float
    time: float
    stddev: float | None = None


@dataclass(frozen=True)
class Run:
    """One execution of user code, as the run log knows it.

    Args:
        id: Identity in the log.
        number: Place in its experiment, from 1; 0 outside experiments.
        assignments: What the run was given.
        state: Where it is in its life.
        values: Last reported metric values by name.
        task: Name of the task it ran on.
        origin: Who proposed it: ``heliostat``, ``optuna``, ``grid``, ``user``, …
        searcher: Which searcher proposed it; empty for others.
        why: The searcher's reason, for people.
        predicted: What the searcher's model expected.
        end_reason: Why it ended.
        failure: Set when it failed or was lost.
        attempt: 1 for the first execution; retries of lost ones count up.
        created: Seconds since the epoch, when it was handed out.
        started: When its code began, if it did.
        ended: When it ended, if it did.
        metadata: Facts by key: texts, numbers, lists, mappings.
        curve: Training curve; empty unless it was asked for.
        updated: Time of the last write about it.
        user: Who ran it.
        parameter_sources: Parameter → name of the group it was set by (``XGBoost Defaults``, …).
        sources: Group of parameters → how to show it (``sort``, ``default_show``).
        dev_metadata: Facts by key that tables hide.
        sys_metadata: Facts that Heliostat itself reads, such as ``feature_importances``.
        datasets: Name → free facts (digest, rows, …).
        model: Type of the model.
        source_hash: Version of the code, such as a git commit; its text is among the run's texts.
        tags: Names, sorted.
        note: Markdown, for people.
        favorite: Starred.
        archived: Deleted, and may come back: hidden from lists, not learned from, free of the budget.
        late: Role (``production``, ``training``, …) → metric → values by time, apart from `values`.
    """

    id: int = 0
    experiment: int | None = None
    project: str = ""
    number: int = 0
    name: str = ""
    assignments: Mapping[str, Value] = field(default_factory=dict)
    state: State = State.ACTIVE
    values: Mapping[str, Measurement] = field(default_factory=dict)
    task: str | None = None
    origin: str = "heliostat"
    searcher: str = ""
    why: str = ""
    predicted: Mapping[str, Prediction] = field(default_factory=dict)
    end_reason: str = ""
    failure: Failure | None = None
    attempt: int = 1
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    curve: Sequence[Checkpoint] = ()
    updated: float = 0.0
    user: str = ""
    parameter_sources: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dev_metadata: Mapping[str, Any] = field(default_factory=dict)
    sys_metadata: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    model: str | None = None
    source_hash: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    favorite: bool = False
    archived: bool = False
    late: Mapping[str, Mapping[str, Sequence[LateMeasurement]]] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """Metric values by name, without their standard errors."""
        return {name: measurement.value for name, measurement in self.values.items()}

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.numbers.items())
        given = ", ".join(f"{name}={item!r}" for name, item in self.assignments.items())
        return f"run {self.number} ({self.state}): {values or 'no values'} with {given}"

    def _repr_html_(self) -> str:
        from heliostat.notebook.runs import run_html

        return run_html(self)

    @property
    def seconds(self) -> float:
        """Duration, NaN while unknown."""
        if self.started is None or self.ended is None:
            return math.nan
        return self.ended - self.started


@dataclass(frozen=True)
class Proposal:
    """What a searcher wants tried next.

    Args:
        assignments: Legal in the experiment's space.
        task: Task to run it on, if the experiment has tasks.
        why: One sentence for people.
        predicted: The model's expectation by metric, where there is a model.
    """

    assignments: Mapping[str, Value]
    task: str | None = None
    why: str = ""
    predicted: Mapping[str, Prediction] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """All that a searcher may know: the experiment's runs, ordered by number, with curves where they matter.

    Args:
        runs: Ended and open runs of this experiment.
        sources: Ended runs from elsewhere that warm-start this one, in declared order of their sources, each
            with its raw assignments; :attr:`Run.experiment` tells them apart (``None``: by project
            and study).
    """

    runs: tuple[Run, ...] = ()
    sources: tuple[Run, ...] = ()

    def __len__(self) -> int:
        return len(self.runs)

    def in_state(self, *states: State) -> list[Run]:
        """The runs in any of these states."""
        return [run for run in self.runs if run.state in states]

    @property
    def completed(self) -> list[Run]:
        """Runs that finished with every steering metric."""
        return self.in_state(State.COMPLETED)

    @property
    def open(self) -> list[Run]:
        """Runs handed out and not ended: a searcher treats them as pending."""
        return self.in_state(State.ACTIVE)
