"""The first runs, before a model has anything to learn from, and when that time is over."""

from __future__ import annotations

from heliostat.experiment import ExperimentSpec
from heliostat.space import Value
from heliostat.trial import History
from heliostat_searchers.bayesian.rows import Rows
from heliostat_searchers.novelty import Key, key

FEWEST, PER_DIMENSION, MOST = 4, 2, 10
"""Size of the initial design, ``max(4, min(2d, 10))``: below 4 a length scale is a guess; beyond 10 the model
finds better points than the sequence does, also in 20 dimensions. Above 4 never more than half of the budget,
so that a short search is one at all."""


INFORMED = 3
"""Size of the initial design after other experiments: two of their best places and one elsewhere. With two
the model would begin after one look at what may be an unrelated source: a reversed one then costs more
(median regret 0.14 → 0.24) than a related one gains."""


EMPTY = History()


def planned(spec: ExperimentSpec, history: History = EMPTY) -> int:
    """Number of runs in the initial design."""
    if history.sources:
        return INFORMED + (spec.space.defaults() is not None)
    wanted = max(FEWEST, min(PER_DIMENSION * spec.space.d, MOST))
    return wanted if spec.budget is None else min(wanted, max(FEWEST, spec.budget // 2))


def started(history: History) -> int:
    """Number of runs that count towards the initial design: lost and cancelled ones do not."""
    return sum(run.state.uses_budget for run in history.runs)


def defaults(spec: ExperimentSpec, used: set[Key]) -> list[dict[str, Value]]:
    """The user's defaults, where every living parameter has one and they were not tried yet."""
    found = spec.space.defaults()
    return [] if found is None or key(found) in used else [found]


def obstacle(spec: ExperimentSpec, history: History, rows: Rows) -> str:
    """Why these rows cannot be modelled (yet); empty if they can.

    Half of the design must have an outcome, so that a pool of workers that starts all at once goes on with
    the sequence instead of trusting the first result.
    """
    if rows.n == 0:
        if len(rows.failed):
            return "every run has failed"
        return "no completed run lies near the space" if history.completed else "no run has completed"
    if rows.distinct + len(rows.failed) < (planned(spec, history) + 1) // 2 or rows.distinct < 2:
        places = "1 place has" if rows.distinct == 1 else f"{rows.distinct} different places have"
        return f"only {places} a result"
    if not spec.metrics.objectives:
        return ""
    if all(column.is_constant for column in rows.columns) and not len(rows.failed):
        return "all results are equal"
    return ""
