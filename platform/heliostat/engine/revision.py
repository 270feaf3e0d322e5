"""Changes to an experiment that is under way: what may change, and what would make its past meaningless."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.experiment import ExperimentSpec, read_experiment
from heliostat.metrics import Metric, Metrics, read_metric
from heliostat.space import Parameter, Space
from heliostat.space.wire import read_parameter

CHANGEABLE = ("name", "project", "metrics", "budget", "parallel_bandwidth", "metadata", "parameters")
"""Fields of an experiment that may change while it runs."""

Named = TypeVar("Named", Metric, Parameter)

_KEPT: Mapping[str, Callable[[Any], Any]] = {
    "its type": lambda item: item.kind,
    "its transformation": lambda item: "log" if getattr(item, "log", False) else "none",
    "what it depends on": lambda item: dict(item.conditions),
    "whether it has a grid": lambda item: getattr(item, "grid", None) is not None,
}


def revised(spec: ExperimentSpec, changes: Mapping[str, Any]) -> ExperimentSpec:
    """The declaration with some fields replaced.

    Metrics keep their names and parameters their names, types, transformations, conditions and kind of
    values; strategies, objectives, thresholds, bounds, grids, categories, priors and defaults may change.
    Those not named stay.

    Args:
        spec: As declared so far.
        changes: New values by field, in their wire form; ``None`` clears a budget or a bandwidth.

    Raises:
        InvalidValue: A field may not change, or the new declaration breaks a rule.
    """
    fixed = sorted(changes.keys() - set(CHANGEABLE))
    if fixed:
        rule = "cannot change while an experiment runs"
        remedy = f"Change {', '.join(CHANGEABLE)}; or make a new experiment with transfer=[…]."
        raise InvalidValue(fixed[0], rule, given=changes[fixed[0]], remedy=remedy)
    new = dict(changes)
    if "metrics" in new:
        new["metrics"] = _metrics(spec, new["metrics"])
    if "parameters" in new:
        new["space"] = _space(spec.space, new.pop("parameters"))
    # Through the wire form, so that what is stored is what was checked.
    return read_experiment(replace(spec, **new).to_dict())


def _metrics(spec: ExperimentSpec, value: Any) -> Metrics:
    given = [read_metric(item, "metrics") for item in schema.items(value, "metrics")]
    known = [metric.name for metric in spec.metrics.all]
    named = _named(given, known, "metrics")
    return Metrics(tuple(named.get(metric.name, metric) for metric in spec.metrics.all))


def _space(space: Space, value: Any) -> Space:
    given = [read_parameter(item, "parameters") for item in schema.items(value, "parameters")]
    known = {item.name: item for item in space.parameters}
    named = _named(given, list(known), "parameters")
    for name, item in named.items():
        _refuse_other_kind(known[name], item)
    return replace(space, parameters=tuple(named.get(name, item) for name, item in known.items()))


def _named(given: Sequence[Named], known: Sequence[str], field: str) -> dict[str, Named]:
    schema.unique((item.name for item in given), field, "names")
    strangers = sorted({item.name for item in given} - set(known))
    if strangers:
        rule = f"{field} keep their names, and none can be added"
        raise InvalidValue(field, rule, given=strangers, remedy=f"There are {', '.join(known)}.")
    return {item.name: item for item in given}


def _refuse_other_kind(before: Parameter, after: Parameter) -> None:
    for what, read in _KEPT.items():
        old, new = read(before), read(after)
        if old != new:
            rule = f"{what} cannot change while an experiment runs (it is {old})"
            remedy = "Past runs would mean something else; make a new experiment with transfer=[…]."
            raise InvalidValue(f"parameters.{before.name}", rule, given=new, remedy=remedy)
