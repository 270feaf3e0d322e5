"""Metrics: what an experiment optimizes, what it guards, what it merely stores.

Four roles in three strategies, as in SigOpt v1: ``optimize``, ``constraint`` (a guardrail, with a threshold)
and ``store``. The objective (maximize or minimize) of a constraint names its feasible side: maximize means
value ≥ threshold, minimize means value ≤ threshold; both are inclusive.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue

STRATEGIES = ("optimize", "constraint", "store")
OBJECTIVES = ("maximize", "minimize")


@dataclass(frozen=True)
class Metric:
    """One declared metric.

    Args:
        name: Unique in the experiment.
        objective: ``maximize`` (default) or ``minimize``.
        strategy: ``optimize`` (default), ``constraint`` or ``store``.
        threshold: Required for a constraint, forbidden for a stored metric; for one of several optimized
            metrics it bounds the region of interest of the Pareto front.
    """

    name: str
    objective: str = "maximize"
    _: KW_ONLY
    strategy: str = "optimize"
    threshold: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", schema.name(self.name, "metrics.name"))
        schema.choice(self.objective, f"{self.name}.objective", OBJECTIVES)
        schema.choice(self.strategy, f"{self.name}.strategy", STRATEGIES)
        field = f"{self.name}.threshold"
        if self.threshold is not None:
            object.__setattr__(self, "threshold", schema.number(self.threshold, field))
        if self.strategy == "constraint" and self.threshold is None:
            raise InvalidValue(
                field, "a constraint metric needs a threshold", remedy="Say at_most or at_least."
            )
        if self.strategy == "store" and self.threshold is not None:
            raise InvalidValue(field, "a stored metric has no threshold", remedy="Make it a guardrail.")

    @property
    def sign(self) -> float:
        """+1 where more is better, -1 where less is."""
        return 1.0 if self.objective == "maximize" else -1.0

    def is_met(self, value: float) -> bool:
        """Whether a value is on the right side of the threshold (always, without one)."""
        if self.threshold is None:
            return True
        return self.sign * value >= self.sign * self.threshold

    def to_dict(self) -> dict[str, Any]:
        """The wire form."""
        data = {"name": self.name, "objective": self.objective, "strategy": self.strategy}
        return schema.plain({**data, "threshold": self.threshold})


def maximize(name: str, *, threshold: float | None = None) -> Metric:
    """An objective of which more is better; `threshold` bounds the interesting part of a Pareto front."""
    return Metric(name, "maximize", threshold=threshold)


def minimize(name: str, *, threshold: float | None = None) -> Metric:
    """An objective of which less is better; `threshold` bounds the interesting part of a Pareto front."""
    return Metric(name, "minimize", threshold=threshold)


def guardrail(name: str, *, at_most: float | None = None, at_least: float | None = None) -> Metric:
    """A metric that must stay on one side of a limit.

    Args:
        name: The metric, or a sentence such as ``"latency_ms <= 20"``.
        at_most: Upper limit, inclusive.
        at_least: Lower limit, inclusive; exactly one of both.
    """
    sentence = re.fullmatch(r"\s*(.+?)\s*(<=|>=)\s*(\S+)\s*", name) if isinstance(name, str) else None
    if sentence and not (at_most is None and at_least is None):
        rule, remedy = "has a limit in the sentence and another beside it", "Name one, or declare a Metric."
        raise InvalidValue(
            f"guardrail({name!r})", rule, given=at_least if at_most is None else at_most, remedy=remedy
        )
    if sentence:
        name, side, limit = sentence.groups()
        try:
            value = float(limit)
        except ValueError:
            raise InvalidValue("guardrail", "the limit must be a number", given=limit) from None
        at_most, at_least = (value, None) if side == "<=" else (None, value)
    if (at_most is None) == (at_least is None):
        rule, given = "needs exactly one of at_most and at_least", {"at_most": at_most, "at_least": at_least}
        remedy = "Name one limit, or write a sentence with <= or >=."
        raise InvalidValue(f"guardrail({name!r})", rule, given=given, remedy=remedy)
    if at_most is not None:
        return Metric(name, "minimize", strategy="constraint", threshold=at_most)
    return Metric(name, "maximize", strategy="constraint", threshold=at_least)


def store(name: str, *, objective: str = "maximize") -> Metric:
    """A metric that is recorded and shown but never steers."""
    return Metric(name, objective, strategy="store")


@dataclass(frozen=True)
class Metrics:
    """The metrics of one experiment, checked against each other.

    Raises:
        InvalidValue: Repeated names, nothing to optimize or to hold, a threshold on a single objective.
    """

    all: tuple[Metric, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "all", tuple(self.all))
        schema.unique((metric.name for metric in self.all), "metrics", "names")
        if not self.objectives and not self.guardrails:
            rule = "at least one metric must be optimized or constrained"
            raise InvalidValue("metrics", rule, remedy="Add minimize(…), maximize(…) or guardrail(…).")
        if len(self.objectives) == 1 and self.objectives[0].threshold is not None:
            field = f"{self.objectives[0].name}.threshold"
            rule = "a threshold on an optimized metric needs at least two optimized metrics"
            raise InvalidValue(field, rule, remedy="Drop it, or make the metric a guardrail.")

    @cached_property
    def objectives(self) -> tuple[Metric, ...]:
        """The optimized metrics, in declared order."""
        return tuple(metric for metric in self.all if metric.strategy == "optimize")

    @cached_property
    def guardrails(self) -> tuple[Metric, ...]:
        """The constraint metrics, in declared order."""
        return tuple(metric for metric in self.all if metric.strategy == "constraint")

    @cached_property
    def stored(self) -> tuple[Metric, ...]:
        """The metrics that never steer."""
        return tuple(metric for metric in self.all if metric.strategy == "store")

    @cached_property
    def steering(self) -> tuple[Metric, ...]:
        """Objectives and guardrails: what a successful run must report and a searcher models."""
        return (*self.objectives, *self.guardrails)

    def missing(self, values: Mapping[str, float]) -> list[str]:
        """Names of the steering metrics without a finite value."""
        return [
            metric.name for metric in self.steering if not math.isfinite(values.get(metric.name, math.nan))
        ]

    def is_feasible(self, values: Mapping[str, float]) -> bool:
        """Whether every guardrail has a finite value on its right side."""
        return all(
            math.isfinite(values.get(metric.name, math.nan)) and metric.is_met(values[metric.name])
            for metric in self.guardrails
        )

    def __getitem__(self, name: str) -> Metric:
        for metric in self.all:
            if metric.name == name:
                return metric
        known = ", ".join(metric.name for metric in self.all)
        raise InvalidValue("metrics", f"has no metric {name!r}", remedy=f"Known metrics: {known}.")


def read_metric(value: Any, field: str) -> Metric:
    """A metric from its wire form, its name alone, or a metric value."""
    if isinstance(value, Metric):
        return value
    if isinstance(value, str):
        return Metric(value)
    data = {key: item for key, item in schema.mapping(value, field).items() if item is not None}
    schema.only_keys(data, field, ("name", "objective", "strategy", "threshold"))
    name = schema.name(schema.required(data, "name", field), f"{field}.name")
    return Metric(
        name,
        data.get("objective", "maximize"),
        strategy=data.get("strategy", "optimize"),
        threshold=data.get("threshold"),
    )


def read_metrics(value: Iterable[Any]) -> Metrics:
    """The metrics of an experiment from a list of wire forms, names or values."""
    listed = schema.items(value, "metrics")
    return Metrics(tuple(read_metric(item, f"metrics[{place}]") for place, item in enumerate(listed)))
