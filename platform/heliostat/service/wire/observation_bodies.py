"""Observations as clients send them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from heliostat import outcome as ends
from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.outcome import Outcome
from heliostat.service.wire.fields import evaluation, scalars
from heliostat.service.wire.stewards import task_of
from heliostat.space import Value
from heliostat.steering.ending import REPORTED_FAILURE
from heliostat.trial import Failure, Measurement, State

FIELDS = ("suggestion", "assignments", "values", "failed", "metadata", "task", "no_optimize")


@dataclass(frozen=True)
class Observed:
    """What was observed, and at which point.

    Args:
        suggestion: The suggestion that it answers; otherwise `assignments` are given.
        assignments: A point of the observer's own.
        task: Of the own point.
        values: By metric; empty if it failed.
        failed: Whether it failed.
        metadata: Facts for people; ``None`` removes a key.
    """

    suggestion: str | None = None
    assignments: Mapping[str, Value] = field(default_factory=dict)
    task: str | None = None
    values: Mapping[str, Measurement] = field(default_factory=dict)
    failed: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def outcome(self, spec: ExperimentSpec) -> Outcome:
        """How the run of this observation ended."""
        if self.failed:
            return Outcome(State.FAILED, REPORTED_FAILURE, {}, Failure("user_error", REPORTED_FAILURE))
        return ends.judge(spec.metrics, self.values)


def read_observation(spec: ExperimentSpec, body: Any, where: str = "") -> Observed:
    """A new observation.

    Args:
        spec: Its experiment.
        body: As it came.
        where: Path of the body in a larger one, with a dot at its end.

    Raises:
        InvalidValue: Not exactly one of suggestion and assignments, of values and failure; or a field breaks
            a rule.
    """
    given = schema.mapping(body, where.rstrip(".") or "observation")
    data = {key: item for key, item in given.items() if item is not None}
    schema.only_keys(data, where.rstrip(".") or "observation", FIELDS)
    if ("suggestion" in data) == ("assignments" in data):
        rule, remedy = "exactly one of suggestion and assignments is needed", "Name the suggestion."
        raise InvalidValue(f"{where}suggestion", rule, remedy=remedy)
    failed = schema.flag(data.get("failed", False), f"{where}failed")
    values = read_values(spec, data.get("values"), f"{where}values")
    if failed == bool(values):
        rule = "either values or failed: true is needed"
        raise InvalidValue(f"{where}values", rule, remedy="A failed observation has no values.")
    if not failed:
        _refuse_missing(spec, values, f"{where}values")
    found = Observed(values=values, failed=failed, metadata=scalars(data.get("metadata"), f"{where}metadata"))
    if "suggestion" in data:
        return _with(found, suggestion=str(data["suggestion"]))
    point = scalars(data["assignments"], f"{where}assignments")
    return _with(
        found,
        assignments=_legal(spec, point, f"{where}assignments"),
        task=task_of(spec, data.get("task"), f"{where}task"),
    )


def read_values(spec: ExperimentSpec, given: Any, where: str = "values") -> dict[str, Measurement]:
    """Measurements by metric; the name may be left out where there is one metric.

    Raises:
        InvalidValue: A metric is unknown or occurs twice, or a value is no number.
    """
    found: dict[str, Measurement] = {}
    for place, item in enumerate(schema.items(given or (), where)):
        at = f"{where}[{place}]"
        data = schema.mapping(item, at)
        name = data.get("name")
        if name is None and len(spec.metrics.all) == 1:
            name = spec.metrics.all[0].name
        if name is None:
            raise InvalidValue(f"{at}.name", "is required with several metrics", remedy="Name the metric.")
        if name not in [metric.name for metric in spec.metrics.all]:
            remedy = f"Its metrics: {', '.join(metric.name for metric in spec.metrics.all)}."
            raise InvalidValue(f"{at}.name", "is no metric of the experiment", given=name, remedy=remedy)
        if name in found:
            raise InvalidValue(at, "each metric must occur once", given=name)
        found[name] = evaluation(data, at)
    return found


def _legal(spec: ExperimentSpec, point: Mapping[str, Any], where: str) -> dict[str, Value]:
    try:
        return dict(spec.space.check(point, in_bounds=False))
    except InvalidValue as error:
        given = {} if error.given is None else {"given": error.given}
        raise InvalidValue(where, error.rule, remedy=error.remedy, code=error.code, **given) from None


def _refuse_missing(spec: ExperimentSpec, values: Mapping[str, Measurement], where: str) -> None:
    missing = [metric.name for metric in spec.metrics.all if metric.name not in values]
    if missing:
        rule = f"must hold every metric of the experiment (missing: {', '.join(missing)})"
        raise InvalidValue(where, rule, remedy="Send failed: true if there is none.")


def _with(found: Observed, **more: Any) -> Observed:
    return Observed(**{**vars(found), **more})
