"""Beliefs about where a double's good values lie: a cut normal or a stretched beta (SigOpt v1 ``prior``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue


@dataclass(frozen=True)
class Normal:
    """Normal with `mean` inside the bounds and `scale` > 0, cut to the bounds."""

    mean: float
    scale: float

    def __post_init__(self) -> None:
        schema.number(self.mean, "prior.mean")
        _positive(self.scale, "prior.scale")

    def check_inside(self, low: float, high: float, field: str) -> None:
        """Refuse a mean outside the bounds."""
        if not low <= self.mean <= high:
            raise InvalidValue(f"{field}.mean", f"must lie in [{low}, {high}]", given=self.mean)

    def quantile(self, unit: float, low: float, high: float) -> float:
        """Value in [low, high] below which the share `unit` in [0, 1] of the belief lies."""
        from scipy.special import ndtr, ndtri

        start, stop = ndtr((low - self.mean) / self.scale), ndtr((high - self.mean) / self.scale)
        value = self.mean + self.scale * float(ndtri(start + unit * (stop - start)))
        return min(max(value, low), high)

    def to_dict(self) -> dict[str, Any]:
        """The wire form."""
        return {"name": "normal", "mean": self.mean, "scale": self.scale}


@dataclass(frozen=True)
class Beta:
    """Beta with `shape_a`, `shape_b` > 0, stretched to the bounds."""

    shape_a: float
    shape_b: float

    def __post_init__(self) -> None:
        _positive(self.shape_a, "prior.shape_a")
        _positive(self.shape_b, "prior.shape_b")

    def check_inside(self, low: float, high: float, field: str) -> None:
        """A beta fits any bounds."""

    def quantile(self, unit: float, low: float, high: float) -> float:
        """Value in [low, high] below which the share `unit` in [0, 1] of the belief lies."""
        from scipy.special import betaincinv

        return low + (high - low) * float(betaincinv(self.shape_a, self.shape_b, unit))

    def to_dict(self) -> dict[str, Any]:
        """The wire form."""
        return {"name": "beta", "shape_a": self.shape_a, "shape_b": self.shape_b}


Prior = Normal | Beta


def read_prior(value: Any, field: str) -> Prior:
    """A prior from its wire form ``{"name": "normal" | "beta", …}``."""
    if isinstance(value, (Normal, Beta)):
        return value
    data = schema.mapping(value, field)
    kind = schema.choice(data.pop("name", None), f"{field}.name", ("normal", "beta"))
    names = ("mean", "scale") if kind == "normal" else ("shape_a", "shape_b")
    schema.only_keys(data, field, names)
    first, second = (_read_number(data, key, field) for key in names)
    return Normal(first, second) if kind == "normal" else Beta(first, second)


def _read_number(data: Mapping[str, Any], key: str, field: str) -> float:
    return schema.number(schema.required(data, key, field), f"{field}.{key}")


def _positive(value: float, field: str) -> None:
    if schema.number(value, field) <= 0:
        raise InvalidValue(field, "must be positive", given=value)
