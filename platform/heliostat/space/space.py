"""The search space: which assignments are legal, and their place in the unit cube."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.space.constraints import LinearConstraint
from heliostat.space.parameters import Categorical, Conditional, Double, Int, Parameter, Value

Assignments = Mapping[str, Value]
"""Values by name: every living parameter and switch, and nothing else."""

SWITCH_COMBINATIONS = 100_000
"""Most combinations of switch values that are checked for a living parameter."""


@dataclass(frozen=True)
class Space:
    """Parameters, switches and linear constraints, checked against each other.

    Args:
        parameters: At least one; unique names.
        conditionals: Switches; may themselves have conditions (nesting), but no cycle.
        linear_constraints: Over numeric parameters without conditions.

    Raises:
        InvalidValue: Unknown or repeated names, cycles, or constraints that no assignment meets.
    """

    parameters: tuple[Parameter, ...]
    conditionals: tuple[Conditional, ...] = ()
    linear_constraints: tuple[LinearConstraint, ...] = ()

    def __post_init__(self) -> None:
        for field in ("parameters", "conditionals", "linear_constraints"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not self.parameters:
            raise InvalidValue("parameters", "at least one is required", remedy="Declare one.")
        schema.unique((item.name for item in (*self.conditionals, *self.parameters)), "parameters", "names")
        self._check_conditions()
        self._check_constraints()

    @cached_property
    def dimensions(self) -> tuple[Parameter, ...]:
        """Switches and parameters, each after the switches that it depends on; `d` of them."""
        waiting: list[Parameter] = [*self.conditionals, *self.parameters]
        done: dict[str, Parameter] = {}
        while waiting:
            ready = [item for item in waiting if all(switch in done for switch, _ in item.conditions)]
            if not ready:
                names = [item.name for item in waiting]
                raise InvalidValue("conditions", "must not form a cycle", given=names)
            done.update((item.name, item) for item in ready)
            waiting = [item for item in waiting if item.name not in done]
        return tuple(done.values())

    @cached_property
    def by_name(self) -> dict[str, Parameter]:
        """Dimensions by name."""
        return {item.name: item for item in self.dimensions}

    @cached_property
    def index(self) -> dict[str, int]:
        """Column of each dimension in the unit cube."""
        return {item.name: column for column, item in enumerate(self.dimensions)}

    @property
    def d(self) -> int:
        """Number of dimensions of the unit cube."""
        return len(self.dimensions)

    def is_alive(self, item: Parameter, values: Mapping[str, Any]) -> bool:
        """Whether all conditions of a dimension hold under the values assigned so far."""
        return all(values.get(switch) in wanted for switch, wanted in item.conditions)

    def living(self, values: Mapping[str, Any]) -> list[Parameter]:
        """The dimensions that are alive under these values."""
        return [item for item in self.dimensions if self.is_alive(item, values)]

    def check(
        self, values: Mapping[str, Any], field: str = "assignments", *, in_bounds: bool = True
    ) -> dict[str, Value]:
        """The assignments in their declared types, or the rule they break.

        Args:
            values: Values by name.
            field: Path for error texts.
            in_bounds: ``False`` admits numeric values outside the bounds, as for a user's own observations.

        Raises:
            InvalidValue: A value is missing, unknown, not alive, of the wrong type, or breaks a constraint.
        """
        given = schema.mapping(values, field)
        result: dict[str, Value] = {}
        for item in self.dimensions:
            if not self.is_alive(item, result):
                if given.get(item.name) is not None:
                    rule = f"is not alive under {dict(result)}"
                    raise InvalidValue(
                        f"{field}.{item.name}", rule, given=given[item.name], remedy="Leave it out."
                    )
                continue
            if given.get(item.name) is None:
                raise InvalidValue(f"{field}.{item.name}", "is required", remedy="Assign a value.")
            result[item.name] = item.check(given[item.name], f"{field}.{item.name}", in_bounds=in_bounds)
        schema.only_keys(given, field, tuple(self.by_name))
        self._refuse_violation(result, field)
        return result

    def meets_constraints(self, values: Assignments) -> bool:
        """Whether all linear constraints hold, up to rounding."""
        return all(constraint.holds(values) for constraint in self.linear_constraints)

    def _surely_meets_constraints(self, values: Assignments) -> bool:
        """Whether all hold, those with a continuous term also for a user's own sum."""
        return all(
            constraint.holds_surely(values) if self._is_continuous(constraint) else constraint.holds(values)
            for constraint in self.linear_constraints
        )

    def _is_continuous(self, constraint: LinearConstraint) -> bool:
        items = [self.by_name[name] for name, _ in constraint.terms]
        return any(isinstance(item, Double) and item.grid is None for item in items)

    def encode(self, values: Assignments) -> NDArray[np.float64]:
        """Place in the unit cube, shape ``d``; dimensions that are not alive are at 0.5."""
        unit = np.full(self.d, 0.5)
        for name, value in values.items():
            unit[self.index[name]] = self.by_name[name].to_unit(value)
        return unit

    def decode(self, unit: NDArray[np.float64]) -> dict[str, Value]:
        """Legal assignments at (or, if constraints demand it, near) a place in the unit cube.

        Args:
            unit: Shape ``d``, entries in [0, 1].

        Returns:
            Assignments that pass :meth:`check`. A point outside the linear constraints is pulled along a
            straight line towards their centre until it is inside.
        """
        values = self.decode_freely(unit)
        if self._surely_meets_constraints(values):
            return values
        pulled = self._pulled_inside(unit)
        is_near = self.meets_constraints(values) and self._differ_in_countable(values, pulled)
        return values if is_near else pulled

    def decode_freely(self, unit: NDArray[np.float64]) -> dict[str, Value]:
        """As :meth:`decode`, without regard to linear constraints."""
        values: dict[str, Value] = {}
        for item, place in zip(self.dimensions, unit, strict=True):
            if self.is_alive(item, values):
                values[item.name] = item.from_unit(float(place))
        return values

    def draw(self, unit: NDArray[np.float64]) -> dict[str, Value]:
        """Assignments for one uniform draw, shape ``d``: priors bend it; constraints are not looked at."""
        bent = unit.copy()
        for column, item in enumerate(self.dimensions):
            if isinstance(item, Double) and item.prior is not None:
                low, high = item.bounds
                bent[column] = item.to_unit(item.prior.quantile(float(unit[column]), low, high))
        return self.decode_freely(bent)

    @property
    def is_finite(self) -> bool:
        """Whether every dimension has a countable number of values."""
        return all(not isinstance(item, Double) or item.grid is not None for item in self.dimensions)

    def every(self) -> Iterator[dict[str, Value]]:
        """Every legal assignment of a finite space, in lexicographic order of the dimensions."""
        yield from (values for values in self._every(0, {}) if self.meets_constraints(values))

    def is_smaller_than(self, count: int) -> bool:
        """Whether the space is finite and has fewer points than `count`, linear constraints not looked at."""
        return self.is_finite and sum(1 for _ in itertools.islice(self._every(0, {}), count)) < count

    def defaults(self) -> dict[str, Value] | None:
        """The default values, if every living dimension has one and they are legal together."""
        values = self._declared_defaults()
        return values if values is not None and self.meets_constraints(values) else None

    def check_defaults(self) -> None:
        """Refuse defaults that cannot be run: where all are there, they are meant to be.

        Raises:
            InvalidValue: They break a linear constraint.
        """
        values = self._declared_defaults()
        if values is not None:
            self._refuse_violation(values, "default_value")

    def _declared_defaults(self) -> dict[str, Value] | None:
        values: dict[str, Value] = {}
        for item in self.dimensions:
            if self.is_alive(item, values):
                if item.default_value is None:
                    return None
                values[item.name] = item.default_value
        return values

    @cached_property
    def anchor(self) -> dict[str, float]:
        """A point well inside the linear constraints: values of the constrained parameters by name."""
        from heliostat.space.polytope import centre

        return centre(self)

    def _every(self, column: int, values: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if column == self.d:
            yield dict(values)
            return
        item = self.dimensions[column]
        if not self.is_alive(item, values):
            yield from self._every(column + 1, values)
            return
        for value in values_of(item):
            yield from self._every(column + 1, {**values, item.name: value})

    def _pulled_inside(self, unit: NDArray[np.float64]) -> dict[str, Value]:
        goal = unit.copy()
        for name, value in self.anchor.items():
            goal[self.index[name]] = self.by_name[name].to_unit(value)
        low, high = 0.0, 1.0
        best = self.decode_freely(goal)
        meets = (
            self._surely_meets_constraints if self._surely_meets_constraints(best) else self.meets_constraints
        )
        for _ in range(30):  # 2⁻³⁰ of the way: far below what a model can tell apart
            middle = (low + high) / 2
            values = self.decode_freely(unit + middle * (goal - unit))
            if meets(values):
                best, high = values, middle
            else:
                low = middle
        return best

    def _differ_in_countable(self, first: Assignments, second: Assignments) -> bool:
        """Whether two points differ in a choice, an integer or a place on a grid."""
        return any(
            first.get(item.name) != second.get(item.name)
            for item in self.dimensions
            if not isinstance(item, Double) or item.grid is not None
        )

    def _refuse_violation(self, values: Assignments, field: str) -> None:
        for constraint in self.linear_constraints:
            if not constraint.holds(values):
                given = {name: values[name] for name, _ in constraint.terms}
                rule = f"breaks the linear constraint {describe(constraint)}"
                raise InvalidValue(field, rule, given=given, remedy="Move a value.", code="HS-SPACE-003")

    def _check_conditions(self) -> None:
        switches = {item.name: item for item in (*self.conditionals, *self.parameters)}
        for item in switches.values():
            for switch, wanted in item.conditions:
                field = f"{item.name}.conditions"
                known = switches.get(switch)
                if not isinstance(known, Categorical):
                    remedy = "Declare it under conditionals, or name a categorical parameter."
                    raise InvalidValue(field, f"{switch!r} is not a switch", remedy=remedy)
                for value in wanted:
                    schema.choice(value, f"{field}.{switch}", known.values)
        self._check_every_branch_lives()

    def _check_every_branch_lives(self) -> None:
        dimensions = self.dimensions
        if any(not item.conditions for item in self.parameters):
            return
        switches = [item for item in dimensions if isinstance(item, Categorical) and self._is_switch(item)]
        product = itertools.product(*(item.values for item in switches))
        for chosen in itertools.islice(product, SWITCH_COMBINATIONS):
            values = dict(zip((item.name for item in switches), chosen, strict=True))
            if not any(self.is_alive(item, values) for item in self.parameters):
                rule = "each combination of conditional values must leave a parameter alive"
                raise InvalidValue("conditionals", rule, given=values, remedy="Add one without conditions.")

    def _is_switch(self, item: Categorical) -> bool:
        return any(item.name == switch for other in self.dimensions for switch, _ in other.conditions)

    def _check_constraints(self) -> None:
        for constraint in self.linear_constraints:
            for name, _ in constraint.terms:
                item = self.by_name.get(name)
                if not isinstance(item, (Double, Int)) or item.conditions:
                    rule = f"{name!r} must be a numeric parameter without conditions"
                    raise InvalidValue("linear_constraints.terms", rule, remedy="Constrain another one.")
        if self.linear_constraints:
            _ = self.anchor


def values_of(item: Parameter) -> Sequence[Value]:
    """All values of a countable dimension."""
    if isinstance(item, Categorical):
        return item.values
    if item.grid is not None:
        return item.grid
    if isinstance(item, Double):
        remedy = "Give it a grid, for example grid=[0.1, 0.2, 0.4]."
        raise InvalidValue(f"{item.name}.grid", "a double has no countable values", remedy=remedy)
    low, high = item.bounds
    return range(low, high + 1)


def describe(constraint: LinearConstraint) -> str:
    """The constraint as people write it: ``2*x + y <= 1``."""
    left = " + ".join(name if weight == 1 else f"{weight:g}*{name}" for name, weight in constraint.terms)
    return f"{left} {'<=' if constraint.type == 'less_than' else '>='} {constraint.threshold:g}"
