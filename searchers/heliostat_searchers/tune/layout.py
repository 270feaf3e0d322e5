"""The user's nested configuration and an experiment's flat assignments, there and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from heliostat.errors import InvalidValue
from heliostat.space import Value


class Node(Protocol):
    """A part of a configuration."""

    def build(self, assignments: Mapping[str, Value]) -> Any:
        """The part as the trainable gets it."""

    def read(self, part: Any, field: str) -> dict[str, Value]:
        """The assignments that would build the part.

        Raises:
            InvalidValue: None would.
        """

    def names(self) -> Iterator[str]:
        """The parameters that live in the part under any assignments."""


@dataclass(frozen=True)
class Constant:
    """What is not searched."""

    value: Any

    def build(self, assignments: Mapping[str, Value]) -> Any:
        """The value."""
        return self.value

    def read(self, part: Any, field: str) -> dict[str, Value]:
        """Nothing, if the part is the constant."""
        if not _is_same(part, self.value):
            rule = f"is fixed at {self.value!r}"
            raise InvalidValue(field, rule, given=part, remedy="Leave it out.")
        return {}

    def names(self) -> Iterator[str]:
        """None."""
        yield from ()


@dataclass(frozen=True)
class Leaf:
    """One parameter.

    Args:
        name: As the experiment knows it.
        values: Pairs of an assigned value and what it stands for; empty if it stands for itself.
    """

    name: str
    values: tuple[tuple[Value, Any], ...] = ()

    def build(self, assignments: Mapping[str, Value]) -> Any:
        """What is assigned, or what that stands for."""
        assigned = assignments[self.name]
        return next((real for value, real in self.values if value == assigned), assigned)

    def read(self, part: Any, field: str) -> dict[str, Value]:
        """The one assignment."""
        if not self.values:
            return {self.name: part}
        for value, real in self.values:
            if _is_same(part, real):
                return {self.name: value}
        listed = ", ".join(repr(real) for _, real in self.values)
        raise InvalidValue(field, "is no option", given=part, remedy=f"Take one of {listed}.")

    def names(self) -> Iterator[str]:
        """Its own."""
        yield self.name


@dataclass(frozen=True)
class Branch:
    """A mapping or a sequence of parts."""

    parts: tuple[tuple[Any, Node], ...]
    kind: type = dict

    def build(self, assignments: Mapping[str, Value]) -> Any:
        """All parts."""
        built = {key: part.build(assignments) for key, part in self.parts}
        return built if self.kind is dict else self.kind(built.values())

    def read(self, part: Any, field: str) -> dict[str, Value]:
        """The assignments of all parts; constants may be left out."""
        given = part if isinstance(part, Mapping) else None
        if given is None and self.kind is not dict and isinstance(part, (list, tuple)):
            given = dict(enumerate(part))
        if given is None:
            what = "a mapping" if self.kind is dict else "a list"
            raise InvalidValue(field, f"must be {what}", given=part)
        strangers = sorted(str(key) for key in given.keys() - dict(self.parts).keys())
        if strangers:
            known = ", ".join(str(key) for key, _ in self.parts)
            raise InvalidValue(f"{field}.{strangers[0]}", "is not in the space", remedy=f"It has {known}.")
        found: dict[str, Value] = {}
        for key, child in self.parts:
            if key in given:
                found.update(child.read(given[key], f"{field}.{key}"))
            elif any(True for _ in child.names()):
                raise InvalidValue(f"{field}.{key}", "is required", remedy="Give it a value.")
        return found

    def names(self) -> Iterator[str]:
        """Those of all parts."""
        for _, part in self.parts:
            yield from part.names()


@dataclass(frozen=True)
class Switch:
    """A choice among parts that have parameters of their own.

    Args:
        name: Of the conditional parameter.
        options: Parts by the conditional's values.
    """

    name: str
    options: tuple[tuple[str, Node], ...]

    def build(self, assignments: Mapping[str, Value]) -> Any:
        """The chosen part."""
        return dict(self.options)[str(assignments[self.name])].build(assignments)

    def read(self, part: Any, field: str) -> dict[str, Value]:
        """The choice of the first option that the part fits, and that option's assignments."""
        reasons = []
        for label, option in self.options:
            try:
                return {self.name: label, **option.read(part, field)}
            except InvalidValue as error:
                reasons.append(f"{label}: {error.rule}")
        raise InvalidValue(field, f"fits no option ({'; '.join(reasons)})", given=part)

    def names(self) -> Iterator[str]:
        """The conditional's."""
        yield self.name


def _is_same(one: Any, other: Any) -> bool:
    """Equality that tells ``True`` from 1 and survives arrays."""
    if one is other:
        return True
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    try:
        return bool(one == other)
    except Exception:  # an array's truth
        return False
