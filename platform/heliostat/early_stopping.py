"""The declared rule by which a scheduler ends hopeless trials."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from heliostat import schema
from heliostat.errors import InvalidValue


@dataclass(frozen=True)
class EarlyStopping:
    """Asynchronous successive halving on a checkpointed metric.

    Args:
        metric: A declared metric that trials report at every step.
        max_steps: Steps of a full run.
        grace: Steps before a trial may be stopped.
        reduction: At each rung the best 1/reduction of the trials go on.
        min_runs: Trials that must have ended before any is stopped: a rank among two or three says little.
    """

    metric: str
    max_steps: int
    _: KW_ONLY
    grace: int = 1
    reduction: float = 3
    min_runs: int = 5

    def __post_init__(self) -> None:
        schema.name(self.metric, "early_stopping.metric")
        steps = schema.integer(self.max_steps, "early_stopping.max_steps", at_least=1)
        grace = schema.integer(self.grace, "early_stopping.grace", at_least=1)
        schema.integer(self.min_runs, "early_stopping.min_runs", at_least=0)
        if grace > steps:
            rule = "must not be above max_steps"
            raise InvalidValue("early_stopping.grace", rule, given=grace, remedy=f"Use 1 to {steps}.")
        if schema.number(self.reduction, "early_stopping.reduction") <= 1:
            rule = "must be above 1"
            raise InvalidValue(
                "early_stopping.reduction", rule, given=self.reduction, remedy="3 or 4 is usual."
            )
