"""Schedulers for Ray Tune that keep their reasons and never end a sweep by an exception.

``TuneConfig(scheduler=CurveStopping(experiment))`` in a Ray Tune script, or by name in
``experiment.sweep(train, early_stopping="auto")``. Each takes an experiment, or metrics alone; made for an
experiment it stands at once where the run log ends, writes its reasons into the log, and its stops teach the
searcher.
"""

from heliostat_searchers.schedulers.factory import scheduler
from heliostat_searchers.schedulers.guarded import GuardedScheduler
from heliostat_searchers.schedulers.halving import CostAwareHalving
from heliostat_searchers.schedulers.stopping import (
    CurveStopping,
    GuardrailStopping,
    MedianStopping,
    MultiObjectiveASHA,
)

__all__ = [
    "CostAwareHalving",
    "CurveStopping",
    "GuardedScheduler",
    "GuardrailStopping",
    "MedianStopping",
    "MultiObjectiveASHA",
    "scheduler",
]
