"""Linear constraints Σ wᵢ·xᵢ ≤ or ≥ threshold over numeric parameters, in natural units, inclusive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue

TOLERANCE = 1e-9
"""Relative slack in the test of a constraint: a few hundred roundings of a double."""

SURELY = -1e-15
"""The same for proposals with a continuous term: a few roundings inside, so that a user's own sum agrees in
any order of its terms."""


@dataclass(frozen=True)
class LinearConstraint:
    """``less_than``: Σ weight·value ≤ threshold; ``greater_than``: Σ weight·value ≥ threshold.

    Args:
        type: ``less_than`` or ``greater_than`` (both inclusive).
        threshold: The right-hand side.
        terms: ``{parameter: weight}``; zero weights are dropped, at least two others must remain.
    """

    type: str
    threshold: float
    terms: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        schema.choice(self.type, "linear_constraints.type", ("less_than", "greater_than"))
        threshold = schema.number(self.threshold, "linear_constraints.threshold")
        object.__setattr__(self, "threshold", threshold)
        object.__setattr__(self, "terms", _read_terms(self.terms))

    def holds(self, values: Mapping[str, Any], tolerance: float = TOLERANCE) -> bool:
        """Whether the assigned values meet the constraint, up to a relative `tolerance`."""
        products = [weight * float(values[name]) for name, weight in self.terms]
        slack = tolerance * max(abs(self.threshold), *(abs(product) for product in products))
        total = sum(products) - self.threshold
        return total <= slack if self.type == "less_than" else total >= -slack

    def holds_surely(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds for a user's own sum too: exactly in whole numbers, else :data:`SURELY`."""
        products = [weight * float(values[name]) for name, weight in self.terms]
        if all(number.is_integer() for number in (*products, float(self.threshold))):
            return self.holds(values, 0.0)
        return self.holds(values, SURELY)

    def upper_form(self) -> tuple[dict[str, float], float]:
        """The same constraint as Σ weight·value ≤ threshold: weights by name, and the threshold."""
        sign = 1.0 if self.type == "less_than" else -1.0
        return {name: sign * weight for name, weight in self.terms}, sign * self.threshold

    def to_dict(self) -> dict[str, Any]:
        """The wire form."""
        terms = [{"name": name, "weight": weight} for name, weight in self.terms]
        return {"type": self.type, "threshold": self.threshold, "terms": terms}

    @staticmethod
    def from_dict(value: Any, field: str) -> LinearConstraint:
        """A constraint from its wire form."""
        if isinstance(value, LinearConstraint):
            return value
        data = schema.mapping(value, field)
        schema.only_keys(data, field, ("type", "threshold", "terms"))
        wanted = (schema.required(data, key, field) for key in ("type", "threshold", "terms"))
        return LinearConstraint(*wanted)


def _read_terms(value: Any) -> tuple[tuple[str, float], ...]:
    field = "linear_constraints.terms"
    pairs = (
        value.items() if isinstance(value, Mapping) else [_term(item) for item in schema.items(value, field)]
    )
    terms = [(schema.name(name, field), schema.number(weight, f"{field}.weight")) for name, weight in pairs]
    schema.unique((name for name, _ in terms), field, "parameters")
    kept = tuple((name, weight) for name, weight in terms if weight != 0)
    if len(kept) < 2:
        rule = "needs at least two terms with a weight that is not zero"
        raise InvalidValue(field, rule, given=terms, remedy="For one parameter change its bounds instead.")
    return kept


def _term(item: Any) -> Iterable[Any]:
    if isinstance(item, Mapping):
        schema.only_keys(item, "linear_constraints.terms", ("name", "weight"))
        return item.get("name"), item.get("weight")
    return tuple(schema.items(item, "linear_constraints.terms"))
