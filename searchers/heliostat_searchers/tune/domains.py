"""Search spaces of Ray Tune as those of an experiment.

======================================  ========================================================
Ray Tune                                Heliostat
======================================  ========================================================
``uniform``, ``loguniform``             ``Double``, on a log scale
``randint``, ``lograndint``             ``Int``, on a log scale
``quniform``, ``qrandint``              a grid, if it has at most 100 values; else snapped to it
``qloguniform``, ``qlograndint``        on a log scale, snapped to the grid
``choice`` of numbers                   a grid
``choice`` of anything else             ``Categorical``; each category stands for its object
``choice`` with domains in its options  ``Conditional``, with the parameters that it brings to life
nested mappings and lists               names joined by ``/``
anything else                           a constant, passed on as it is
======================================  ========================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from ray.tune.search import sample

from heliostat.errors import InvalidValue
from heliostat.space import Categorical, Conditional, Double, Int, Parameter, Value
from heliostat.space.parameters import Conditions
from heliostat_searchers.tune.layout import Branch, Constant, Leaf, Node, Switch

GRID = 100
"""Most values of a quantized domain that become a grid: each owns a bin, so none is proposed twice."""

LABEL = 50
"""Longest category: what a column of a page can hold."""

PLACEHOLDERS = {"__fn_ph": "sample_from", "__ref_ph": "an object"}
"""Marks of what Ray Tune puts in the place of functions and objects while it searches."""


@dataclass(frozen=True)
class Converted:
    """A search space of Ray Tune.

    Args:
        parameters: What is searched.
        conditionals: Switches among options.
        layout: How assignments become the trainable's configuration.
        quanta: Parameter → width of the steps that its values are snapped to.
    """

    parameters: tuple[Parameter, ...]
    conditionals: tuple[Conditional, ...]
    layout: Branch
    quanta: Mapping[str, float]

    def snapped(self, assignments: Mapping[str, Value]) -> dict[str, Value]:
        """The assignments with quantized parameters at the nearest multiple of their step."""
        return {name: _snapped(value, self.quanta.get(name)) for name, value in assignments.items()}


def converted(space: Mapping[str, Any], field: str = "param_space") -> Converted:
    """The experiment's space for one of Ray Tune's.

    Args:
        space: As a script gives it to ``tune.Tuner``.
        field: Path for error texts.

    Raises:
        InvalidValue: A part has no counterpart, with what to write instead; or nothing is searched.
    """
    found = _Found()
    layout = found.mapping(space, field, "", ())
    if not found.parameters:
        rule, remedy = "holds nothing to search", "Give it a domain, such as tune.uniform(0, 1)."
        raise InvalidValue(field, rule, given=sorted(map(str, space)), remedy=remedy)
    return Converted(tuple(found.parameters), tuple(found.conditionals), layout, dict(found.quanta))


@dataclass
class _Found:
    """What has been met on the way through a space."""

    parameters: list[Parameter] = field(default_factory=list)
    conditionals: list[Conditional] = field(default_factory=list)
    quanta: dict[str, float] = field(default_factory=dict)

    def node(self, part: Any, field: str, name: str, conditions: Conditions) -> Node:
        """One part; `name` is the parameter's if it is one."""
        _refuse_foreign(part, field)
        if isinstance(part, sample.Float):
            return self._number(part, field, name, conditions, Double)
        if isinstance(part, sample.Integer):
            return self._number(part, field, name, conditions, Int)
        if isinstance(part, sample.Categorical):
            return self._choice(part, field, name, conditions)
        if isinstance(part, sample.Domain):
            remedy = "Use tune.uniform, loguniform, randint, choice or their kin."
            raise InvalidValue(field, "is of a domain without a counterpart", given=part, remedy=remedy)
        if isinstance(part, Mapping):
            return self.mapping(part, field, f"{name}/", conditions)
        if isinstance(part, (list, tuple)) and has_domain(part):
            parts = [
                (key, self.node(item, f"{field}[{key}]", f"{name}/{key}", conditions))
                for key, item in enumerate(part)
            ]
            return Branch(tuple(parts), type(part))
        return Constant(part)

    def mapping(self, part: Mapping[str, Any], field: str, prefix: str, conditions: Conditions) -> Branch:
        """All entries of a mapping."""
        parts = [
            (key, self.node(item, f"{field}.{key}", f"{prefix}{key}", conditions))
            for key, item in part.items()
        ]
        return Branch(tuple(parts))

    def _number(
        self, part: Any, field: str, name: str, conditions: Conditions, kind: type[Double] | type[Int]
    ) -> Node:
        sampler, step = part.get_sampler(), None
        if isinstance(sampler, sample.Quantized):
            sampler, step = sampler.get_sampler(), sampler.q
        low, high = part.lower, part.upper
        if not (math.isfinite(low) and math.isfinite(high)):
            given, remedy = part.domain_str, "Use tune.uniform, or an experiment with Double(…, prior=…)."
            raise InvalidValue(field, "needs finite bounds", given=given, remedy=remedy)
        if kind is Int and step in {None, 1}:
            high, step = high - 1, None  # Ray Tune's upper bound is exclusive, unless there are steps
        is_log = isinstance(sampler, sample.LogUniform)
        if step is not None:
            low, high = _snapped_inwards(low, high, step)
        if low == high:
            return Constant(low)
        if step is not None and not is_log and round((high - low) / step) < GRID:
            places = range(round((high - low) / step) + 1)
            grid: tuple[Any, ...] = tuple(_snapped(low + place * step, step) for place in places)
            self.parameters.append(kind(name, grid=grid, conditions=conditions))
            return Leaf(name)
        self.parameters.append(kind(name, low, high, log=is_log, conditions=conditions))
        if step is not None:
            self.quanta[name] = step
        return Leaf(name)

    def _choice(self, part: sample.Categorical, field: str, name: str, conditions: Conditions) -> Node:
        if isinstance(part.get_sampler(), sample.Grid):
            raise _grid_search(field, part.categories)
        options = _distinct(part.categories)
        if any(has_domain(option) for option in options):
            return self._switch(options, field, name, conditions)
        if len(options) == 1:
            return self.node(options[0], field, name, conditions)
        for option in options:
            _refuse_foreign(option, field, is_option=True)
        if all(_is_number(option) for option in options):
            whole = all(isinstance(option, Integral) for option in options)
            numbers: list[Any] = [int(option) if whole else float(option) for option in options]
            kind = Int if whole else Double
            self.parameters.append(kind(name, grid=tuple(numbers), conditions=conditions))
            return Leaf(name, tuple(zip(numbers, options, strict=True)))
        labels = _labels(options)
        self.parameters.append(Categorical(name, tuple(labels), conditions=conditions))
        return Leaf(name, tuple(zip(labels, options, strict=True)))

    def _switch(self, options: Sequence[Any], field: str, name: str, conditions: Conditions) -> Node:
        labels = _branch_labels(options)
        if len(options) == 1:
            return self.node(options[0], field, name, conditions)
        self.conditionals.append(Conditional(name, tuple(labels), conditions=conditions))
        nodes = []
        for label, option in zip(labels, options, strict=True):
            alive = (
                (name, (label,)),
            )  # a switch that is not alive has no value: its own conditions hold too
            nodes.append((label, self.node(option, f"{field}[{label}]", f"{name}/{label}", alive)))
        return Switch(name, tuple(nodes))


def _refuse_foreign(part: Any, field: str, *, is_option: bool = False) -> None:
    """What Ray Tune's own random search understands and no model can."""
    mark = part[0] if isinstance(part, tuple) and part and isinstance(part[0], str) else ""
    if isinstance(part, sample.Function) or mark == "__fn_ph":
        rule = "sample_from draws where no model can see"
        remedy = "Compute it in the trainable from the other parameters, or give it a domain."
        raise InvalidValue(field, rule, given="tune.sample_from(…)", remedy=remedy)
    if isinstance(part, Mapping) and "grid_search" in part:
        raise _grid_search(field, part["grid_search"])
    if is_option and isinstance(part, sample.Domain):
        raise InvalidValue(field, "has a domain as an option", given=part)


def _grid_search(field: str, values: Any) -> InvalidValue:
    rule, remedy = "grid_search tries all values, which leaves nothing to search", "Use tune.choice(…)."
    return InvalidValue(field, rule, given=values, remedy=remedy)


def has_domain(part: Any) -> bool:
    """Whether anything in a space is to be drawn."""
    if isinstance(part, Mapping):
        return any(has_domain(item) for item in part.values())
    if isinstance(part, (list, tuple)):
        return any(has_domain(item) for item in part)
    return isinstance(part, sample.Domain)


def _distinct(options: Sequence[Any]) -> list[Any]:
    """Repeated options, which weigh in random search, once."""
    kept: list[Any] = []
    for option in options:
        if not any(type(option) is type(known) and _equal(option, known) for known in kept):
            kept.append(option)
    return kept


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # an array's truth
        return False


def _is_number(option: Any) -> bool:
    return isinstance(option, Real) and not isinstance(option, bool) and math.isfinite(option)


def _labels(options: Sequence[Any]) -> list[str]:
    """A category for each option: its text where that is short and its own."""
    texts = [_text(option) for option in options]
    return [
        text if text and texts.count(text) == 1 else f"option {place}" for place, text in enumerate(texts, 1)
    ]


def _branch_labels(options: Sequence[Any]) -> list[str]:
    """As :func:`_labels`; mappings by the first entry that tells them apart, as ``kind`` often does."""
    if all(isinstance(option, Mapping) for option in options):
        for key in options[0]:
            told = [option.get(key) for option in options]
            if all(isinstance(text, str) and _text(text) for text in told) and len(set(told)) == len(told):
                return told
    return _labels(["" if has_domain(option) else option for option in options])


def _text(option: Any) -> str:
    """Empty where an option has no short text of its own."""
    if isinstance(option, tuple) and option and option[0] in PLACEHOLDERS:
        return ""
    if not all(_is_plain(item) for item in (option if isinstance(option, (list, tuple)) else [option])):
        return ""
    text = option if isinstance(option, str) else repr(option)
    is_printable = text.strip() == text and all(ord(char) >= 32 for char in text)
    return text if 1 <= len(text) <= LABEL and is_printable else ""


def _is_plain(item: Any) -> bool:
    return item is None or isinstance(item, (str, bool, int, float))


def _snapped(value: Value, step: float | None) -> Value:
    """The nearest multiple of a step, without the dust of binary fractions."""
    if step is None or isinstance(value, str):
        return value
    near = Decimal(repr(step)) * round(value / step)
    return int(near) if isinstance(value, Integral) else float(near)


def _snapped_inwards(low: Any, high: Any, step: float) -> tuple[Any, Any]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if first > last:
        return low, low
    return _snapped(type(low)(first * step), step), _snapped(type(high)(last * step), step)
