"""Points inside linear constraints: the centre, and random ones where plain rejection finds none.

The centre is the Chebyshev centre in units of each parameter's width (Boyd and Vandenberghe, Convex
Optimization, §8.5.1), found exactly by mixed-integer programming, so that integers and grids stay legal.
Random points come from Gibbs steps: one coordinate at a time is drawn uniformly from the interval that the
others leave it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heliostat.errors import InvalidValue
from heliostat.space.parameters import Double, Int

if TYPE_CHECKING:
    from heliostat.space.space import Space

SWEEPS = 4
"""Gibbs sweeps between two samples; the coordinates of a polytope mix within a few."""


def constrained(space: Space) -> list[Double | Int]:
    """The parameters that occur in a linear constraint, in the order of the dimensions."""
    names = {name for constraint in space.linear_constraints for name, _ in constraint.terms}
    return [item for item in space.dimensions if item.name in names and isinstance(item, (Double, Int))]


def rows(space: Space) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The constraints as ``A x <= b``: shapes ``c x p`` and ``c`` for `p` constrained parameters."""
    items = constrained(space)
    forms = [constraint.upper_form() for constraint in space.linear_constraints]
    matrix = np.array([[weights.get(item.name, 0.0) for item in items] for weights, _ in forms])
    return matrix, np.array([threshold for _, threshold in forms])


def centre(space: Space) -> dict[str, float]:
    """The point with the largest slack (relative to the parameters' widths) that is legal.

    Raises:
        InvalidValue: No assignment meets the constraints, or they leave doubles no room at all.
    """
    return vertex(space, None)


def vertex(space: Space, direction: NDArray[np.float64] | None) -> dict[str, float]:
    """The legal point farthest along `direction`; without one, the point with the largest slack."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    items = constrained(space)
    matrix, limit = rows(space)
    widths = np.array([item.bounds[1] - item.bounds[0] for item in items], dtype=float)
    spread, choice_rows, columns = _choices(items)
    reach = np.abs(matrix) @ widths
    slack = np.zeros((len(matrix), 1)) if direction is not None else reach[:, None]
    upper = LinearConstraint(np.hstack([matrix @ spread, slack]), -np.inf, limit)
    one = LinearConstraint(np.hstack([choice_rows, np.zeros((len(choice_rows), 1))]), 1, 1)
    goal = np.append(np.zeros(len(columns)), -1.0)
    if direction is not None:
        goal = np.append(-direction @ spread, 0.0)
    low = np.array([*(column[0] for column in columns), 0.0])
    high = np.array([*(column[1] for column in columns), 1.0])
    whole = np.array([*(column[2] for column in columns), 0])
    parts = [upper, one] if len(choice_rows) else [upper]
    solved = milp(goal, constraints=parts, bounds=Bounds(low, high), integrality=whole)
    _refuse_empty(space, solved, direction is None)
    point = spread @ solved.x[:-1]
    return {item.name: float(value) for item, value in zip(items, point, strict=True)}


def sample(space: Space, rng: np.random.Generator, count: int) -> list[dict[str, float]]:
    """`count` legal points by Gibbs steps, started anew from a random vertex whenever they stick."""
    items = constrained(space)
    matrix, limit = rows(space)
    middle = np.array([space.anchor[item.name] for item in items])
    points: list[dict[str, float]] = []
    current = middle.copy()
    while len(points) < count:
        before = current.copy()
        for _ in range(SWEEPS):
            for column, item in enumerate(items):
                current[column] = _drawn(item, column, current, matrix, limit, rng)
        if np.array_equal(before, current):
            far = vertex(space, rng.standard_normal(len(items)))
            current = np.array([far[item.name] for item in items])
        points.append({item.name: float(value) for item, value in zip(items, current, strict=True)})
    return points


def _drawn(
    item: Double | Int,
    column: int,
    point: NDArray[np.float64],
    matrix: NDArray[np.float64],
    limit: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """A uniform value for one coordinate inside the interval that the others leave; else the present one."""
    weights = matrix[:, column]
    room = limit - matrix @ point + weights * point[column]
    low, high = (float(bound) for bound in item.bounds)
    for weight, free in zip(weights, room, strict=True):
        if weight > 0:
            high = min(high, free / weight)
        elif weight < 0:
            low = max(low, free / weight)
    if item.grid is not None:
        inside = [value for value in item.grid if low <= value <= high]
        return float(rng.choice(inside)) if inside else float(point[column])
    if isinstance(item, Int):
        first, last = int(np.ceil(low - 1e-9)), int(np.floor(high + 1e-9))
        return float(rng.integers(first, last + 1)) if first <= last else float(point[column])
    return float(rng.uniform(low, high)) if low <= high else float(point[column])


Column = tuple[float, float, int]


def _choices(items: list[Double | Int]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Column]]:
    """Columns of the programme: one per parameter, or one 0/1 column per value of a grid.

    Returns:
        The map from columns to values (``p x k``), the rows that make each grid pick one value (``g x k``),
        and low, high and integrality of each of the `k` columns.
    """
    columns: list[Column] = []
    owners: list[tuple[int, float]] = []
    for row, item in enumerate(items):
        if item.grid is None:
            columns.append((item.bounds[0], item.bounds[1], int(isinstance(item, Int))))
            owners.append((row, 1.0))
        else:
            columns += [(0.0, 1.0, 1)] * len(item.grid)
            owners += [(row, float(value)) for value in item.grid]
    spread = np.zeros((len(items), len(columns)))
    for column, (row, factor) in enumerate(owners):
        spread[row, column] = factor
    gridded = [row for row, item in enumerate(items) if item.grid is not None]
    picks = np.array([[float(owner == row) for owner, _ in owners] for row in gridded])
    return spread, picks.reshape(len(gridded), len(columns)), columns


def _refuse_empty(space: Space, solved: object, wants_room: bool) -> None:
    names = [item.name for item in constrained(space)]
    solution = getattr(solved, "x", None)
    if solution is None:
        rule = f"no assignment of {', '.join(names)} meets all of them"
        raise InvalidValue("linear_constraints", rule, remedy="Relax a threshold.", code="HS-SPACE-004")
    free = any(isinstance(item, Double) and item.grid is None for item in constrained(space))
    if wants_room and free and solution[-1] <= 1e-12:
        rule = f"leave {', '.join(names)} no room: the feasible region has no interior"
        remedy = "Replace an equality by removing one parameter."
        raise InvalidValue("linear_constraints", rule, remedy=remedy, code="HS-SPACE-005")
