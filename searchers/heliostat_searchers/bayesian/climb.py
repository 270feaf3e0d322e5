"""Gradient steps over the numeric columns of a few points, in the box or inside linear constraints."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from heliostat.space import Double, Int, Parameter
from heliostat_searchers.bayesian.acquisition import Acquisition
from heliostat_searchers.bayesian.cube import Cube, is_continuous

Array = NDArray[np.float64]

FLAT = -1e10
"""Stands for worth of minus infinity, which would end SciPy's line searches with NaN."""


def climbed(acquisition: Acquisition, cube: Cube, starts: Array, steps: int) -> Array:
    """Places uphill of `starts` (``b x d``), same shape; discrete dimensions and dead ones do not move."""
    movable = cube.alive(starts) & cube.slidable
    if not movable.any():
        return starts
    if cube.space.linear_constraints:
        inside = [
            _inside(acquisition, cube, unit, free, steps) for unit, free in zip(starts, movable, strict=True)
        ]
        # Rounded, integers leave room beside a constraint, or take it: the others climb once more.
        endless = np.array([is_continuous(item) for item in cube.space.dimensions])
        return np.array(
            [
                _inside(acquisition, cube, unit, free & endless, steps) if (free & ~endless).any() else unit
                for unit, free in zip(cube.snapped(np.array(inside)), movable, strict=True)
            ]
        )
    return _in_box(acquisition, cube, starts, movable, steps)


def _in_box(
    acquisition: Acquisition, cube: Cube, starts: Array, movable: NDArray[np.bool_], steps: int
) -> Array:
    """All points in one problem, the sum of their worths: one line search serves all."""
    columns = _columns(cube)
    base = cube.features(starts)
    rows, dimensions = np.nonzero(movable)

    def loss(theta: Array) -> tuple[float, Array]:
        points = base.copy()
        points[rows, columns[dimensions]] = theta
        value, gradient = acquisition.slopes(points)
        return -float(np.maximum(value, FLAT).sum()), -gradient[rows, columns[dimensions]]

    bounds = [(0.0, 1.0)] * len(rows)
    found = minimize(
        loss, starts[movable], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}
    )
    result = starts.copy()
    result[movable] = found.x
    return result


def _inside(acquisition: Acquisition, cube: Cube, start: Array, free: NDArray[np.bool_], steps: int) -> Array:
    if not free.any():
        return start
    columns = _columns(cube)[free]
    base = cube.features(start[None])

    def place(theta: Array) -> Array:
        unit = start.copy()
        unit[free] = theta
        return unit

    def loss(theta: Array) -> tuple[float, Array]:
        points = base.copy()
        points[0, columns] = theta
        value, gradient = acquisition.slopes(points)
        return -max(float(value[0]), FLAT), -gradient[0, columns]

    constraints = {
        "type": "ineq",
        "fun": lambda theta: _room(cube, place(theta))[0],
        "jac": lambda theta: _room(cube, place(theta))[1][:, free],
    }
    edges = [_edges(item) for item in cube.space.dimensions]
    bounds = [edge for edge, is_free in zip(edges, free, strict=True) if is_free]
    options = {"maxiter": steps, "ftol": 1e-6}  # in log units, where 1e-6 is no difference
    found = minimize(
        loss, start[free], jac=True, method="SLSQP", bounds=bounds, constraints=constraints, options=options
    )
    low, high = np.array(bounds).T
    return place(np.clip(found.x, low, high)) if np.isfinite(found.x).all() else start


def _edges(item: Parameter) -> tuple[float, float]:
    """Where a dimension's smallest and largest value lie; an integer's bins end half a step beyond them."""
    if isinstance(item, Int) and item.grid is None:
        return item.to_unit(item.bounds[0]), item.to_unit(item.bounds[1])
    return 0.0, 1.0


def _room(cube: Cube, unit: Array) -> tuple[Array, Array]:
    """Slack of each linear constraint (``c``) and its slope in the unit cube (``c x d``), of order 1."""
    space = cube.space
    slack, slope = [], np.zeros((len(space.linear_constraints), space.d))
    for row, constraint in enumerate(space.linear_constraints):
        weights, limit = constraint.upper_form()
        widths = [abs(weight) * _width(space.by_name[name]) for name, weight in weights.items()]
        scale = 1.0 / sum(widths)
        total = limit
        for name, weight in weights.items():
            column = space.index[name]
            value, rise = _natural(space.by_name[name], float(unit[column]))
            total -= weight * value
            slope[row, column] = -weight * rise * scale
        slack.append(total * scale)
    return np.array(slack), slope


def _natural(item: Parameter, unit: float) -> tuple[float, float]:
    """The value at a place, not rounded, and its slope; grids do not move, so theirs is 0."""
    if not isinstance(item, (Double, Int)) or item.grid is not None:
        return float(item.from_unit(unit)), 0.0
    half = 0.5 if isinstance(item, Int) else 0.0  # an integer owns the half steps around it
    low, high = item.bounds[0] - half, item.bounds[1] + half
    if item.log:
        rate = math.log(high / low)
        value = low * math.exp(rate * unit)
        return value, rate * value
    return low + (high - low) * unit, high - low


def _width(item: Parameter) -> float:
    return float(item.bounds[1] - item.bounds[0]) if isinstance(item, (Double, Int)) else 1.0


def _columns(cube: Cube) -> NDArray[np.intp]:
    return np.array([columns.start for columns in cube.columns])
