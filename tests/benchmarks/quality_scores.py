"""From a stored run to its score over the budget; less is better everywhere.

``regret``       best feasible noise-free value so far minus the optimum; under noise that of the recommended
                 configuration, or of the best observed one where a method recommends nothing
``hypervolume``  share of the maximum hypervolume that is missing
``solutions``    mean over k of the regret of the k best that lie apart; a missing one costs the worst seen
``coverage``     fill distance: how far, at most, a feasible point is from the nearest feasible run
``cost``         regret on the full task over the total cost, in half units
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from quality_problem import Problem
from quality_several import feasible_grid
from quality_traces import Trace

from heliostat.analysis import hypervolume

ROUNDING = 1e-9
"""Scores below are what ten stored digits leave of the optimum."""

COST_STEPS = 2
"""Points of the curve per unit of cost."""


def curve(problem: Problem, trace: Trace) -> np.ndarray:
    """Score after each trial (each half unit of cost), as long as the budget whatever happened."""
    found = SCORES[problem.score](problem, trace)
    found = np.where(np.abs(found) < ROUNDING, 0.0, found)
    length = problem.budget * COST_STEPS if problem.score == "cost" else problem.budget - problem.prefill
    last = found[-1] if len(found) else np.inf
    return np.append(found, np.full(max(0, length - len(found)), last))[:length]


def told(problem: Problem, trace: Trace) -> list[int]:
    """Trials that were not lost, in the order in which their results came."""
    kept = [place for place in range(len(trace)) if place not in trace.lost]
    return sorted(kept, key=lambda place: trace.times[place][2]) if trace.times else kept


def objective(problem: Problem, values: list[float] | None) -> float:
    """Regret of one trial; infinite where it failed or broke a guardrail."""
    if values is None or not problem.spec.metrics.is_feasible(dict(zip(problem.names, values, strict=True))):
        return np.inf
    metric = problem.spec.metrics.objectives[0]
    return -metric.sign * values[problem.names.index(metric.name)]


def regrets(problem: Problem, trace: Trace) -> np.ndarray:
    base = -problem.spec.metrics.objectives[0].sign * problem.best(trace.seed)
    order = told(problem, trace)
    scale = problem.truth["scale"](trace.seed) if "scale" in problem.truth else 1.0
    truths = np.array([objective(problem, trace.truths[place]) - base for place in order]) / scale
    if problem.noise is None:
        return np.minimum.accumulate(truths) if len(truths) else truths
    return _recommended(problem, trace, lowest(problem, trace), base)


def lowest(problem: Problem, trace: Trace) -> np.ndarray:
    """Under noise: the true regret of the best observed trial so far."""
    base = -problem.spec.metrics.objectives[0].sign * problem.best(trace.seed)
    seen = np.array([objective(problem, values) for values in trace.y])
    best = [int(np.argmin(seen[: count + 1])) for count in range(len(seen))]
    return np.array([objective(problem, trace.truths[place]) - base for place in best])


def _recommended(problem: Problem, trace: Trace, otherwise: np.ndarray, base: float) -> np.ndarray:
    result = otherwise.copy()
    for count, values in trace.recommended:
        result[count - 1 :] = objective(problem, values) - base
    return result


def missing_volume(problem: Problem, trace: Trace) -> np.ndarray:
    metrics = problem.spec.metrics
    signs = np.array([metric.sign for metric in metrics.objectives])
    columns = [problem.names.index(metric.name) for metric in metrics.objectives]
    corner = signs * np.array(problem.reference)
    front = np.empty((0, len(signs)))
    total, result = 0.0, []
    for values in trace.truths:
        if values is not None and metrics.is_feasible(dict(zip(problem.names, values, strict=True))):
            point = signs * np.array(values)[columns]
            if np.all(point > corner) and not np.any(np.all(front >= point, axis=1)):
                front = np.vstack([front[~np.all(point >= front, axis=1)], point])
                total = hypervolume(front, corner)
        result.append(max(0.0, 1 - total / problem.best(trace.seed)))
    return np.array(result)


def units(problem: Problem, trace: Trace) -> np.ndarray:
    """Places of all trials in the unit cube, ``n x d``; for spaces of doubles."""
    edges = np.array([item.bounds for item in problem.spec.space.dimensions], dtype=float)
    points = np.array(trace.x, dtype=float).reshape(len(trace), len(edges))
    return (points - edges[:, 0]) / (edges[:, 1] - edges[:, 0])


def apart(problem: Problem, places: np.ndarray, values: np.ndarray) -> list[int]:
    """The best trials, each at least the problem's distance from all better ones, at most k."""
    chosen: list[int] = []
    for place in np.argsort(values, kind="stable"):
        if len(chosen) == problem.spec.num_solutions:
            break
        distances = np.linalg.norm(places[chosen] - places[place], axis=1)
        if np.isfinite(values[place]) and np.all(distances >= problem.truth["near"]):
            chosen.append(int(place))
    return chosen


def several(problem: Problem, trace: Trace) -> np.ndarray:
    places = units(problem, trace)
    values = np.array([objective(problem, item) for item in trace.truths]) - problem.best(trace.seed)
    result = []
    for count in range(1, len(values) + 1):
        chosen = apart(problem, places[:count], values[:count])
        worst = float(values[:count].max())
        lacking = problem.spec.num_solutions - len(chosen)
        result.append((values[chosen].sum() + lacking * worst) / problem.spec.num_solutions)
    return np.array(result)


def basins(problem: Problem, trace: Trace) -> int:
    """How many of the known optima one of the k chosen solutions has found."""
    places = units(problem, trace)
    values = np.array([objective(problem, item) for item in trace.truths]) - problem.best(trace.seed)
    good = [item for item in apart(problem, places, values) if values[item] <= problem.truth["tolerance"]]
    near = np.linalg.norm(problem.truth["optima"][:, None] - places[good], axis=2) <= problem.truth["near"]
    return int(min(near.any(axis=1).sum(), problem.spec.num_solutions))


def feasible_places(problem: Problem, trace: Trace) -> np.ndarray:
    places = units(problem, trace)
    kept = [
        values is not None and problem.spec.metrics.is_feasible(dict(zip(problem.names, values, strict=True)))
        for values in trace.truths
    ]
    places[~np.array(kept, dtype=bool)] = np.nan
    return places


def fill_distance(problem: Problem, trace: Trace) -> np.ndarray:
    grid = feasible_grid(problem.truth["grid"])
    nearest = np.full(len(grid), np.sqrt(grid.shape[1]))
    result = []
    for place in feasible_places(problem, trace):
        if np.isfinite(place).all():
            nearest = np.minimum(nearest, np.linalg.norm(grid - place, axis=1))
        result.append(float(nearest.max()))
    return np.array(result)


def over_cost(problem: Problem, trace: Trace) -> np.ndarray:
    base = -problem.spec.metrics.objectives[0].sign * problem.best(trace.seed)
    spent = np.cumsum([problem.cost(task) for task in trace.tasks])
    truths = [
        objective(problem, values) - base if task == problem.full_task else np.inf
        for values, task in zip(trace.truths, trace.tasks, strict=True)
    ]
    best = np.minimum.accumulate(truths)
    steps = np.arange(1, problem.budget * COST_STEPS + 1) / COST_STEPS
    counts = np.searchsorted(spent, steps + 1e-9, side="right")
    return np.array([best[count - 1] if count else np.inf for count in counts])


SCORES = {
    "regret": regrets,
    "hypervolume": missing_volume,
    "solutions": several,
    "coverage": fill_distance,
    "cost": over_cost,
    "latency": lambda problem, trace: np.array(trace.cpu),
}


def facts(problem: Problem, trace: Trace) -> Mapping[str, float]:
    """What the goals need beside the curve."""
    found: dict[str, float] = {"illegal": len(trace.illegal), "rss_mb": trace.rss_mb}
    if problem.suite == "P8":
        values = [objective(problem, item) for item in trace.truths]
        first = next((place + 1 for place, item in enumerate(values) if np.isfinite(item)), np.inf)
        found["first_feasible"] = first
    if problem.suite == "P9":
        late = trace.y[10:]
        found["failed_share"] = sum(item is None for item in late) / max(1, len(late))
    if problem.suite == "P5":
        found["lowest"] = float(lowest(problem, trace)[-1])
    if problem.score == "solutions":
        found["basins"] = basins(problem, trace)
    if problem.score == "coverage":
        found |= _coverage(problem, trace)
    if trace.times:
        found |= _parallel(problem, trace)
    return found


def _coverage(problem: Problem, trace: Trace) -> dict[str, float]:
    places = feasible_places(problem, trace)
    places = places[np.isfinite(places).all(axis=1)]
    grid = feasible_grid(problem.truth["grid"])
    reached = np.zeros(len(grid), dtype=bool)
    for place in places:
        reached |= np.linalg.norm(grid - place, axis=1) <= problem.truth["radius"]
    return {"feasible": len(places), "recall": float(reached.mean())}


DUPLICATE = 1e-3
"""Distance in the unit cube below which an open run is the same question again."""


def _parallel(problem: Problem, trace: Trace) -> dict[str, float]:
    times, places = np.array(trace.times), units(problem, trace)
    idle = float(np.sum(times[:, 1] - times[:, 0]) / (problem.workers * times[:, 2].max()))
    twins = 0
    for place, (asked, _, _) in enumerate(times):
        is_open = (times[:place, 0] <= asked) & (times[:place, 2] > asked)
        distances = np.linalg.norm(places[:place][is_open] - places[place], axis=1)
        twins += bool(len(distances) and distances.min() < DUPLICATE)
    return {"idle": idle, "duplicates": twins, "hours": float(times[:, 2].max()) / 3600}
