"""Figures as plain plotly JSON, each on a card that says how to read it or why it is not there."""

from heliostat.figures.best_so_far import best_so_far
from heliostat.figures.card import Card
from heliostat.figures.importance import parameter_importance
from heliostat.figures.overview import overview
from heliostat.figures.parameter_space import parameter_space
from heliostat.figures.trade_off import trade_off, trade_offs
from heliostat.figures.training_curves import training_curves

__all__ = [
    "Card",
    "best_so_far",
    "overview",
    "parameter_importance",
    "parameter_space",
    "trade_off",
    "trade_offs",
    "training_curves",
]
