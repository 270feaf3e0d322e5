"""The dimensions of a search space: double, int and categorical parameters, and conditional switches.

A dimension maps its values to the unit interval and back. The map is uniform: a uniform draw on [0, 1)
decodes to a uniform value (log-uniform where ``log`` is set), and each category, grid point or integer owns
a bin of equal width (equal on the log scale for a log integer).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

from heliostat import schema
from heliostat.errors import InvalidValue
from heliostat.space.priors import Prior, read_prior

SMALLEST_EDGE = 1e-8
"""Smallest width of a double's bounds relative to their size (SigOpt v1)."""

Value = float | int | str
Conditions = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Double:
    """A real parameter.

    Args:
        name: Unique in the experiment.
        min: Lower bound, inclusive.
        max: Upper bound, inclusive, above `min`.
        grid: Instead of bounds: at least two distinct values; the only ones suggested.
        log: Search on a log10 scale; bounds must then be positive.
        prior: Where good values are likely; not with `log` or `grid`.
        default_value: The user's present value; suggested first.
        conditions: ``{switch: value or [values]}``; the parameter lives only where all hold.
    """

    kind: ClassVar[str] = "double"
    name: str
    min: float | None = None
    max: float | None = None
    _: KW_ONLY
    grid: tuple[float, ...] | None = None
    log: bool = False
    prior: Prior | None = None
    default_value: float | None = None
    conditions: Conditions = ()

    def __post_init__(self) -> None:
        _settle(self, "name", schema.name(self.name, "name"))
        _settle(self, "conditions", read_conditions(self.conditions, self.name))
        _settle_range(self, schema.number)
        if self.prior is not None:
            _check_prior(self)
        if self.default_value is not None:
            _settle(self, "default_value", self.check(self.default_value, f"{self.name}.default_value"))

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value."""
        return _bounds(self)

    def check(self, value: Any, field: str, *, in_bounds: bool = True) -> float:
        """The value as a float, or an error; `in_bounds=False` admits values outside the bounds."""
        real = schema.number(value, field)
        _check_range(self, real, field, in_bounds)
        return real

    def to_unit(self, value: Value) -> float:
        """The place of a value in [0, 1]; values outside the bounds come to the nearest edge."""
        if self.grid is not None:
            return _bin_centre(_nearest(self.grid, float(value)), len(self.grid))
        low, high = self.bounds
        return _place(float(value), low, high, self.log)

    def from_unit(self, unit: float) -> float:
        """The value at a place in [0, 1]."""
        if self.grid is not None:
            return self.grid[_bin(unit, len(self.grid))]
        low, high = self.bounds
        return min(max(_unscaled(unit, low, high, self.log), low), high)


@dataclass(frozen=True)
class Int:
    """An integer parameter; the fields are those of :class:`Double`.

    ``log`` gives every factor, rather than every integer, the same chance.
    """

    kind: ClassVar[str] = "int"
    name: str
    min: int | None = None
    max: int | None = None
    _: KW_ONLY
    grid: tuple[int, ...] | None = None
    log: bool = False
    default_value: int | None = None
    conditions: Conditions = ()

    def __post_init__(self) -> None:
        _settle(self, "name", schema.name(self.name, "name"))
        _settle(self, "conditions", read_conditions(self.conditions, self.name))
        _settle_range(self, schema.integer)
        if self.default_value is not None:
            _settle(self, "default_value", self.check(self.default_value, f"{self.name}.default_value"))

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest value."""
        low, high = _bounds(self)
        return int(low), int(high)

    def check(self, value: Any, field: str, *, in_bounds: bool = True) -> int:
        """The value as an int, or an error; `in_bounds=False` admits values outside the bounds."""
        whole = schema.integer(value, field)
        _check_range(self, whole, field, in_bounds)
        return whole

    def to_unit(self, value: Value) -> float:
        """The centre of the value's bin in [0, 1]."""
        if self.grid is not None:
            return _bin_centre(_nearest(self.grid, float(value)), len(self.grid))
        low, high = self.bounds
        return _place(float(value), low - 0.5, high + 0.5, self.log)

    def from_unit(self, unit: float) -> int:
        """The integer whose bin holds a place in [0, 1]."""
        if self.grid is not None:
            return self.grid[_bin(unit, len(self.grid))]
        low, high = self.bounds
        real = _unscaled(unit, low - 0.5, high + 0.5, self.log)
        return min(max(math.floor(real + 0.5), low), high)

    @property
    def size(self) -> int:
        """Number of distinct values."""
        low, high = self.bounds
        return len(self.grid) if self.grid is not None else high - low + 1


@dataclass(frozen=True)
class Categorical:
    """A choice among at least two names without an order.

    Args:
        name: Unique in the experiment.
        values: Distinct texts of at most 50 characters; also accepted as ``{"name": text}``.
        default_value: The user's present value; suggested first.
        conditions: As for :class:`Double`.
    """

    kind: ClassVar[str] = "categorical"
    name: str
    values: tuple[str, ...]
    _: KW_ONLY
    default_value: str | None = None
    conditions: Conditions = ()

    def __post_init__(self) -> None:
        _settle(self, "name", schema.name(self.name, "name"))
        _settle(self, "values", _read_categories(self.values, f"{self.name}.categorical_values"))
        _settle(self, "conditions", read_conditions(self.conditions, self.name))
        if self.default_value is not None:
            self.check(self.default_value, f"{self.name}.default_value")

    def check(self, value: Any, field: str, *, in_bounds: bool = True) -> str:
        """The value, or an error if it is not one of the categories."""
        del in_bounds
        return schema.choice(value, field, self.values)

    def to_unit(self, value: Value) -> float:
        """The centre of the category's bin in [0, 1]."""
        return _bin_centre(self.values.index(str(value)), len(self.values))

    def from_unit(self, unit: float) -> str:
        """The category whose bin holds a place in [0, 1]."""
        return self.values[_bin(unit, len(self.values))]

    @property
    def size(self) -> int:
        """Number of categories."""
        return len(self.values)


@dataclass(frozen=True)
class Conditional(Categorical):
    """A switch: a categorical whose only work is to bring parameters to life (SigOpt's conditional)."""


Parameter = Double | Int | Categorical


def read_conditions(value: Any, owner: str) -> Conditions:
    """Conditions in their one form, from ``{switch: value}``, ``{switch: [values]}`` or that form itself."""
    field = f"{owner}.conditions"
    pairs = value.items() if isinstance(value, Mapping) else schema.items(value or (), field)
    result = []
    for switch, wanted in pairs:
        values = [wanted] if isinstance(wanted, str) else schema.items(wanted, f"{field}.{switch}")
        if not values:
            raise InvalidValue(f"{field}.{switch}", "needs at least one value", remedy="Name it or drop it.")
        result.append((schema.name(switch, field), tuple(str(item) for item in values)))
    schema.unique((switch for switch, _ in result), field, "switches")
    return tuple(sorted(result))


def _read_categories(value: Any, field: str) -> tuple[str, ...]:
    listed = schema.items(value, field)
    names: list[Any] = [item.get("name") if isinstance(item, Mapping) else item for item in listed]
    for item in names:
        if not isinstance(item, str) or not 1 <= len(item) <= 50:
            rule = "each category must be a text of 1 to 50 characters"
            raise InvalidValue(field, rule, given=item, remedy="Use a short text; use grid for numbers.")
    schema.unique(names, field, "categories")
    if len(names) < 2:
        raise InvalidValue(field, "needs at least two categories", given=names, remedy="Add one, or fix it.")
    return tuple(names)


def _settle(value: Any, field: str, new: Any) -> None:
    """Normalise a field of a frozen value while it is made."""
    object.__setattr__(value, field, new)


def _settle_range(parameter: Double | Int, read: Any) -> None:
    name = parameter.name
    if parameter.grid is not None:
        _settle_grid(parameter, read)
        return
    if parameter.min is None or parameter.max is None:
        raise InvalidValue(f"{name}.bounds", "min and max are required", remedy="Give both, or a grid.")
    low, high = read(parameter.min, f"{name}.bounds.min"), read(parameter.max, f"{name}.bounds.max")
    if not low < high:
        remedy = f"Swap them or write {type(parameter).__name__}({name!r}, {high}, {low})."
        raise InvalidValue(f"{name}.bounds", "min must be below max", given=(low, high), remedy=remedy)
    if high - low < SMALLEST_EDGE * max(abs(low), abs(high)):
        raise InvalidValue(f"{name}.bounds", "are too close to tell apart", given=(low, high))
    _settle(parameter, "min", low)
    _settle(parameter, "max", high)
    _check_log(parameter, low)


def _settle_grid(parameter: Double | Int, read: Any) -> None:
    field = f"{parameter.name}.grid"
    if parameter.min is not None or parameter.max is not None:
        raise InvalidValue(field, "stands in place of bounds", remedy="Give either a grid or bounds.")
    values = [read(item, field) for item in schema.items(parameter.grid, field)]
    if len(set(values)) < 2 or len(set(values)) != len(values):
        raise InvalidValue(field, "needs at least two distinct values", given=values, remedy="Add values.")
    _settle(parameter, "grid", tuple(sorted(values)))
    _check_log(parameter, min(values))


def _check_log(parameter: Double | Int, low: float) -> None:
    if parameter.log and low <= 0:
        rule = "a log scale needs positive values"
        raise InvalidValue(f"{parameter.name}.bounds.min", rule, given=low, remedy="Raise min or drop log.")


def _check_prior(parameter: Double) -> None:
    field = f"{parameter.name}.prior"
    if parameter.log or parameter.grid is not None:
        raise InvalidValue(field, "cannot stand beside log or grid", remedy="Drop one of them.")
    if parameter.prior is not None:
        _settle(parameter, "prior", read_prior(parameter.prior, field))
        low, high = parameter.bounds
        parameter.prior.check_inside(low, high, field)


def _bounds(parameter: Double | Int) -> tuple[float, float]:
    if parameter.grid is not None:
        return parameter.grid[0], parameter.grid[-1]
    if parameter.min is None or parameter.max is None:
        raise InvalidValue(f"{parameter.name}.bounds", "are required")
    return parameter.min, parameter.max


def _check_range(parameter: Double | Int, value: float, field: str, in_bounds: bool) -> None:
    low, high = _bounds(parameter)
    if parameter.grid is not None and value not in parameter.grid:
        rule = f"must be on the grid {list(parameter.grid)}"
        raise InvalidValue(field, rule, given=value, remedy="Take a value of the grid.")
    if parameter.log and value <= 0:
        raise InvalidValue(field, "must be positive on a log scale", given=value)
    if in_bounds and not low <= value <= high:
        raise InvalidValue(
            field, f"must lie in [{low}, {high}]", given=value, remedy="Move it or the bounds."
        )


def _nearest(grid: Sequence[float], value: float) -> int:
    return min(range(len(grid)), key=lambda index: abs(grid[index] - value))


def _bin(unit: float, count: int) -> int:
    return min(max(int(unit * count), 0), count - 1)


def _bin_centre(index: int, count: int) -> float:
    return (index + 0.5) / count


def _place(value: float, low: float, high: float, log: bool) -> float:
    """The place of a value between the bounds, in [0, 1]; one function, it runs for each value of a log."""
    if log:
        if value <= 0:
            return 0.0
        unit = (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))
    else:
        unit = (value - low) / (high - low) if math.isfinite(high - low) else value / high / 2 + 0.5
    return 0.0 if unit < 0.0 else 1.0 if unit > 1.0 else unit


def _unscaled(unit: float, low: float, high: float, log: bool) -> float:
    if log:
        return float(10.0 ** (math.log10(low) + unit * (math.log10(high) - math.log10(low))))
    return low * (1.0 - unit) + high * unit
