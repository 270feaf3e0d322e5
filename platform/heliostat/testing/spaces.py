"""Hypothesis strategies for legal search spaces."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from heliostat.space import (
    Beta,
    Categorical,
    Conditional,
    Double,
    Int,
    LinearConstraint,
    Normal,
    Parameter,
    Space,
)
from heliostat.space.parameters import read_conditions
from heliostat.space.priors import Prior


@st.composite
def spaces(draw: st.DrawFn, *, finite: bool = False) -> Space:
    """Spaces of one to five parameters: mixed kinds, nested switches, constraints that can be met.

    Args:
        draw: Given by Hypothesis.
        finite: Only countable parameters.
    """
    switches = draw(_switches())
    count = draw(st.integers(1, 5))
    free = [draw(_parameter(f"p{place}", (), finite)) for place in range(count)]
    bound = [draw(_parameter(f"q{place}", switches, finite)) for place in range(draw(st.integers(0, 2)))]
    parameters = tuple(free + (bound if switches else []))
    return Space(parameters, switches, draw(_constraints(free)))


@st.composite
def _switches(draw: st.DrawFn) -> tuple[Conditional, ...]:
    depth = draw(st.integers(0, 2))
    found: list[Conditional] = []
    for place in range(depth):
        is_nested = bool(found) and draw(st.booleans())
        conditions = {found[-1].name: found[-1].values[0]} if is_nested else {}
        values = tuple("abc"[: draw(st.integers(2, 3))])
        found.append(Conditional(f"s{place}", values, conditions=read_conditions(conditions, "s")))
    return tuple(found)


@st.composite
def _parameter(draw: st.DrawFn, name: str, switches: tuple[Conditional, ...], finite: bool) -> Parameter:
    common: dict[str, Any] = {}
    if switches:
        switch = draw(st.sampled_from(switches))
        common["conditions"] = {switch.name: [draw(st.sampled_from(switch.values))]}
    kinds = ["int", "log int", "int grid", "grid", "categorical"]
    kind = draw(st.sampled_from(kinds if finite else [*kinds, "double", "log", "normal", "beta"]))
    low = draw(st.integers(-20, 20))
    high = low + draw(st.integers(1, 30))
    if kind == "categorical":
        return Categorical(name, tuple("uvwxyz"[: draw(st.integers(2, 6))]), **common)
    if kind in ("int", "log int"):
        shift = 1 - low if kind == "log int" else 0
        return Int(name, low + shift, high + shift, log=kind == "log int", **common)
    if kind == "int grid":
        return Int(name, grid=tuple(draw(st.sets(st.integers(-9, 9), min_size=2, max_size=5))), **common)
    if kind == "grid":
        values = draw(st.sets(st.floats(-9, 9, width=16), min_size=2, max_size=5))
        return Double(name, grid=tuple(values), **common)
    if kind == "log":
        return Double(name, 10.0 ** (low / 10), 10.0 ** (high / 10), log=True, **common)
    beliefs: dict[str, Prior] = {"normal": Normal((low + high) / 2, 1.0), "beta": Beta(2.0, 5.0)}
    return Double(name, low, high, prior=beliefs.get(kind), **common)


@st.composite
def _constraints(draw: st.DrawFn, items: list[Parameter]) -> tuple[LinearConstraint, ...]:
    numeric = [item for item in items if isinstance(item, (Double, Int))]
    if len(numeric) < 2 or draw(st.booleans()):
        return ()
    terms = [(item, draw(st.sampled_from([-2.0, -1.0, 1.0, 0.5]))) for item in numeric[:3]]
    lowest = sum(min(weight * bound for bound in item.bounds) for item, weight in terms)
    highest = sum(max(weight * bound for bound in item.bounds) for item, weight in terms)
    share = draw(st.sampled_from([0.1, 0.5, 0.9]))
    kind = draw(st.sampled_from(["less_than", "greater_than"]))
    threshold = lowest + (highest - lowest) * (share if kind == "less_than" else 1 - share)
    return (LinearConstraint(kind, threshold, tuple((item.name, weight) for item, weight in terms)),)
