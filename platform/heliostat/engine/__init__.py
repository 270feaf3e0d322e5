"""An experiment's living state: runs of the log, the user's queue, the searcher, the steps between them."""

from heliostat.engine.corrections import corrected
from heliostat.engine.engine import ATTEMPTS, Engine
from heliostat.engine.question import Label, Question
from heliostat.engine.queue import queued
from heliostat.engine.recommendation import is_noisy, recommended
from heliostat.engine.replay import question_of
from heliostat.engine.revision import revised
from heliostat.engine.sources import check_sources, read_sources
from heliostat.engine.surrogates import surrogate_of
from heliostat.engine.thinking import Pulse
from heliostat.engine.watch import ConvergenceWatch

__all__ = [
    "ATTEMPTS",
    "ConvergenceWatch",
    "Engine",
    "Label",
    "Pulse",
    "Question",
    "check_sources",
    "corrected",
    "is_noisy",
    "question_of",
    "queued",
    "read_sources",
    "recommended",
    "revised",
    "surrogate_of",
]
