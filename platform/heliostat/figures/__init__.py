"""Figures as plain plotly JSON, each on a card that says how to read it or why it is not there."""

from heliostat.figures.analyses import analyses
from heliostat.figures.best_so_far import best_so_far
from heliostat.figures.card import Card
from heliostat.figures.contour import contour
from heliostat.figures.convergence_evidence import convergence_evidence
from heliostat.figures.coverage import coverage
from heliostat.figures.cross_validation import cross_validation
from heliostat.figures.distinct_optima import distinct_optima
from heliostat.figures.failure_map import failure_map
from heliostat.figures.guardrails import guardrails
from heliostat.figures.histogram import histogram
from heliostat.figures.importance import parameter_importance
from heliostat.figures.overview import overview
from heliostat.figures.parameter_space import parameter_space
from heliostat.figures.pareto_3d import pareto_3d
from heliostat.figures.sensitivity import sensitivity
from heliostat.figures.slices import slices
from heliostat.figures.task_mix import task_mix
from heliostat.figures.timeline import timeline
from heliostat.figures.trade_off import trade_off, trade_offs
from heliostat.figures.training_curves import training_curves
from heliostat.figures.transfer_benefit import transfer_benefit

__all__ = [
    "Card",
    "analyses",
    "best_so_far",
    "contour",
    "convergence_evidence",
    "coverage",
    "cross_validation",
    "distinct_optima",
    "failure_map",
    "guardrails",
    "histogram",
    "overview",
    "parameter_importance",
    "parameter_space",
    "pareto_3d",
    "sensitivity",
    "slices",
    "task_mix",
    "timeline",
    "trade_off",
    "trade_offs",
    "training_curves",
    "transfer_benefit",
]
