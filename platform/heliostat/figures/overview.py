"""All cards of an experiment's page."""

from __future__ import annotations

from collections.abc import Sequence

from heliostat.analysis import Importance, importances
from heliostat.experiment import ExperimentSpec
from heliostat.figures.best_so_far import best_so_far
from heliostat.figures.card import Card
from heliostat.figures.importance import parameter_importance
from heliostat.figures.parameter_space import parameter_space
from heliostat.figures.trade_off import trade_offs
from heliostat.figures.training_curves import training_curves
from heliostat.trial import Run


def overview(
    spec: ExperimentSpec, runs: Sequence[Run], *, known: Sequence[Importance] | None = None
) -> tuple[Card, ...]:
    """Best so far, trade-offs, importance, training curves and parameter space, in this order.

    `known` saves fitting importances again.
    """
    shares = importances(spec, runs) if known is None else known
    return (
        best_so_far(spec, runs),
        *trade_offs(spec, runs),
        parameter_importance(spec, runs, known=shares),
        training_curves(spec, runs),
        parameter_space(spec, runs, known=shares),
    )
