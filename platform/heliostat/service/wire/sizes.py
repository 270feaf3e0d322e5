"""How large a declaration may be that somebody sends; checked before anything is built from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heliostat.errors import InvalidValue

LISTS = {
    "parameters": 1000,
    "metrics": 100,
    "conditionals": 100,
    "linear_constraints": 1000,
    "tasks": 1000,
    "tags": 1000,
}
"""Most items of a declaration's lists."""

CHOICES = 10_000
"""Most categories, grid points or values of one parameter or conditional."""

LARGEST = 2**53
"""Largest whole number that every JSON reader keeps exact; also for the bounds of ints."""

COUNTS = {
    "budget": LARGEST,
    "observation_budget": LARGEST,
    "parallel_bandwidth": 10_000,
    "num_solutions": 1000,
}
"""Largest counts of a declaration."""

_CHOICES = ("categorical_values", "grid", "values")


def check_sizes(body: Mapping[str, Any]) -> None:
    """Refuse what is larger than any experiment that can be run.

    Raises:
        InvalidValue: It names the field and the limit.
    """
    for field, most in LISTS.items():
        _check_length(body.get(field), field, most)
    for field in ("parameters", "conditionals"):
        for place, item in _mappings(body.get(field)):
            for key in _CHOICES:
                _check_length(item.get(key), f"{field}[{place}].{key}", CHOICES)
            for path, given in _bounds(item, f"{field}[{place}]"):
                _check_number(given, path, LARGEST)
    for field, most in COUNTS.items():
        _check_number(body.get(field), field, most)


def _check_length(given: Any, path: str, most: int) -> None:
    if isinstance(given, (list, dict)) and len(given) > most:
        rule = f"must have at most {most} items here"
        raise InvalidValue(path, rule, given=len(given), remedy="Use the Python API for more.")


def _check_number(given: Any, path: str, most: int) -> None:
    if isinstance(given, int) and abs(given) > most:
        raise InvalidValue(path, f"must be a whole number of at most {most}", given=f"{given:.3g}")


def _bounds(parameter: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    bounds = parameter.get("bounds")
    if parameter.get("type") == "int" and isinstance(bounds, Mapping):
        yield from ((f"{path}.bounds.{end}", given) for end, given in bounds.items())


def _mappings(given: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for place, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, Mapping):
            yield place, item
