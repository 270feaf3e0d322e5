"""The Bayesian searcher: initial design, beliefs, acquisition, optimizer, one proposal after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from heliostat.experiment import ExperimentSpec
from heliostat.space import Value
from heliostat.trial import History, Prediction, Proposal
from heliostat_searchers.bayesian import design
from heliostat_searchers.bayesian.acquisition import (
    Acquisition,
    LogExpectedImprovement,
    LogProbability,
    Term,
)
from heliostat_searchers.bayesian.cube import Cube
from heliostat_searchers.bayesian.models import Models, fitted, scalarised
from heliostat_searchers.bayesian.optimizer import FRUGAL, THOROUGH, best_point
from heliostat_searchers.bayesian.pareto import (
    HYPERVOLUME_OBJECTIVES,
    LogHypervolumeImprovement,
    is_efficient,
    reference_point,
)
from heliostat_searchers.bayesian.reasons import why
from heliostat_searchers.bayesian.rows import Rows, read_rows
from heliostat_searchers.novelty import Key, key, taken

Array = NDArray[np.float64]

ANCHORS = 5
"""Best known points whose surroundings are searched; more would thin out the copies of each."""


class BayesianSearcher:
    """Gaussian processes per metric, and the acquisition function that fits what was declared."""

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"multimetric", "guardrails", "conditionals", "linear_constraints"}
    )

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`."""
        used = taken(history)
        missing = min(count, max(0, design.planned(spec) - design.started(history)))
        first = self._without_model(spec, history, used, missing, rng, "initial design")
        if len(first) == count or len(first) < missing:
            return first
        used |= {key(proposal.assignments) for proposal in first}
        rows = read_rows(spec, history)
        obstacle = design.obstacle(spec, rows)
        if obstacle:
            later = replace(history, runs=history.runs + (history.runs[:1] or ()) * 0)
            return first + self._without_model(spec, later, used, count - missing, rng, f"explore: {obstacle}")
        return first + self._modelled(spec, history, rows, first, used, count - missing, rng)
