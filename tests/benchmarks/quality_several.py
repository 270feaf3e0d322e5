"""Problems with several metrics: Pareto fronts, thresholds, outcome constraints, regions to cover, scale."""

from __future__ import annotations

from functools import cache

import numpy as np
from quality_formulas import (
    branin,
    c2_margin,
    currin,
    disk_margin,
    dtlz2,
    speed_reducer,
    spring,
    vehicle_safety,
    welded_beam,
)
from quality_problem import Problem, Setting, box, experiment, point

from heliostat.metrics import guardrail, minimize

SQUARE = box([(0.0, 1.0)] * 2)
DTLZ_BOX = box([(0.0, 1.0)] * 4)
DTLZ_CENTRE = np.array([0.37, 0.68, 0.24])
VEHICLE_BOX = box([(1.0, 3.0)] * 5)
VEHICLE = ("mass", "acceleration", "intrusion")
VEHICLE_REFERENCE = (1864.72022, 11.81993945, 0.2903999384)
VEHICLE_LIMITS = (1680.0, 9.0, 0.16)
"""Thresholds that a fifth of the front meets."""

BAND_HALF = 0.05
BOX_HALF = 0.233
"""Half width of the five boxes: 2 % of the unit cube is feasible."""
GRID = 10_000
"""Feasible points against which coverage is measured."""


def _branin_currin(values, setting):
    x = point(values)
    return {"branin": branin([15 * x[0] - 5, 15 * x[1]]), "currin": currin(x)}


def _dtlz2(values, setting):
    f = dtlz2(point(values), DTLZ_CENTRE)
    return {"f0": float(f[0]), "f1": float(f[1])}


def _vehicle(values, setting):
    return dict(zip(VEHICLE, map(float, vehicle_safety(point(values))), strict=True))


def fronts():
    """P6: nobody is told the reference point."""
    metrics = (minimize("branin"), minimize("currin"))
    spec = experiment("branin and currin", SQUARE, metrics, 50)
    yield Problem("branin_currin", "P6", spec, _branin_currin, "hypervolume", 59.36011874867746, (18.0, 6.0))
    spec = experiment("dtlz2", DTLZ_BOX, (minimize("f0"), minimize("f1")), 50)
    yield Problem("dtlz2", "P6", spec, _dtlz2, "hypervolume", 1.21 - np.pi / 4, (1.1, 1.1))
    spec = experiment("vehicle safety", VEHICLE_BOX, [minimize(name) for name in VEHICLE], 50)
    yield Problem("vehicle", "P6", spec, _vehicle, "hypervolume", 246.81607081187002, VEHICLE_REFERENCE)


def limited_fronts():
    """P7: constraint metrics beside two objectives, and thresholds on three."""

    def c2(values, setting):
        f = dtlz2(point(values), DTLZ_CENTRE)
        return {"f0": float(f[0]), "f1": float(f[1]), "margin": c2_margin(f)}

    metrics = (minimize("f0"), minimize("f1"), guardrail("margin", at_least=0.0))
    spec = experiment("c2-dtlz2", DTLZ_BOX, metrics, 50)
    yield Problem("c2dtlz2", "P7", spec, c2, "hypervolume", 0.3996406303723544, (1.1, 1.1))

    def in_disk(values, setting):
        x = point(values)
        return {**_branin_currin(values, setting), "margin": disk_margin([15 * x[0] - 5, 15 * x[1]])}

    metrics = (minimize("branin"), minimize("currin"), guardrail("margin", at_least=0.0))
    spec = experiment("branin and currin in a disk", SQUARE, metrics, 50)
    yield Problem("branin_currin_disk", "P7", spec, in_disk, "hypervolume", 608.4004237022673, (80.0, 12.0))
    metrics = [minimize(name, threshold=limit) for name, limit in zip(VEHICLE, VEHICLE_LIMITS, strict=True)]
    spec = experiment("vehicle safety within limits", VEHICLE_BOX, metrics, 50)
    yield Problem(
        "vehicle_limits", "P7", spec, _vehicle, "hypervolume", VEHICLE_LIMITS_VOLUME, VEHICLE_LIMITS
    )


VEHICLE_LIMITS_VOLUME = 3.02
"""Of the union of four fronts of 1,000 points each, NSGA-II's after 200 generations (3.018), rounded up."""


def guarded():
    """P8: one objective and black-box margins; 0.1, 0.8 and 0.2 % of the box are feasible."""
    designs = {
        "welded_beam": (welded_beam, [(0.125, 10.0), (0.1, 10.0), (0.1, 10.0), (0.1, 10.0)], 6, 1.724852309),
        "spring": (spring, [(0.05, 2.0), (0.25, 1.3), (2.0, 15.0)], 4, 0.0126652328),
        "speed_reducer": (
            speed_reducer,
            [(2.6, 3.6), (0.7, 0.8), (17.0, 28.0), (7.3, 8.3), (7.3, 8.3), (2.9, 3.9), (5.0, 5.5)],
            11,
            2994.471066,
        ),
    }
    for name, (design, bounds, count, best) in designs.items():

        def function(values, setting, design=design):
            cost, margins = design(point(values))
            return {"cost": cost, **{f"g{place}": margin for place, margin in enumerate(margins)}}

        limits = [guardrail(f"g{place}", at_least=0.0) for place in range(count)]
        spec = experiment(name, box(bounds), [minimize("cost"), *limits], 75)
        yield Problem(name, "P8", spec, function, optimum=best)


def regions():
    """P13: nothing to optimize; the region within the limits is to be covered evenly."""
    metrics = (guardrail("distance", at_most=BAND_HALF), guardrail("heat", at_most=1.7))
    spec = experiment("two bands", SQUARE, metrics, 60)
    yield Problem("bands_2d", "P13", spec, _bands, "coverage", truth={"radius": 0.08, "grid": "bands"})
    metrics = [guardrail(f"part{place}", at_most=BOX_HALF) for place in range(5)]
    spec = experiment("five metrics in a box", box([(0.0, 1.0)] * 5), metrics, 60)
    yield Problem("box_5d", "P13", spec, _five, "coverage", truth={"radius": 0.25, "grid": "box"})


def _bands(values, setting):
    x = point(values)
    wave = 0.1 * np.sin(2 * np.pi * x[0])
    return {
        "distance": float(min(abs(x[1] - 0.25 - wave), abs(x[1] - 0.8 + wave / 2))),
        "heat": float(x[0] + x[1]),
    }


_MIX = np.eye(5) + 0.35 * np.roll(np.eye(5), 1, axis=1) - 0.2 * np.roll(np.eye(5), 2, axis=1)
_MIDDLE = np.array([0.42, 0.57, 0.38, 0.61, 0.45])


def _five(values, setting):
    parts = np.abs(_MIX @ (point(values) - _MIDDLE))
    return {f"part{place}": float(part) for place, part in enumerate(parts)}


@cache
def feasible_grid(name):
    """About :data:`GRID` feasible points of a P13 problem in the unit cube, by a Sobol sequence."""
    from scipy.stats import qmc

    problem = next(item for item in regions() if item.truth["grid"] == name)
    d, found = problem.spec.space.d, []
    draws = qmc.Sobol(d, seed=13).random(2**19 if d > 2 else 2**17)
    for draw in draws:
        values = {f"x{place}": item for place, item in enumerate(draw)}
        if problem.spec.metrics.is_feasible(problem.function(values, Setting(0))):
            found.append(draw)
            if len(found) == GRID:
                break
    return np.array(found)


def scaled():
    """P18: two objectives in ten dimensions after so many random observations; five suggestions are timed."""

    def function(values, setting):
        x = point(values)
        return {"f0": float(np.sum((x - 0.3) ** 2)), "f1": float(np.sum((x - 0.6) ** 2 * (1 + x)))}

    for count in (100, 500, 1000, 2000):
        spec = experiment(
            f"after {count}", box([(0.0, 1.0)] * 10), (minimize("f0"), minimize("f1")), count + 5
        )
        yield Problem(f"scale_{count}", "P18", spec, function, "latency", prefill=count, seeds=1)
