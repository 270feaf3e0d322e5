"""The declared rule by which a scheduler ends hopeless trials."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue

METHODS = ("auto", "asha", "hyperband", "median")
_NEEDS = {
    "auto": (),
    "asha": ("metric", "max_steps"),
    "hyperband": ("metric", "max_steps"),
    "median": ("metric",),
}
FIELDS = ("method", "metric", "max_steps", "grace", "reduction", "min_runs", "risk")
"""Every field of the wire form."""


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop a trial before its end.

    ``auto`` reads the curves of all objectives and guardrails, predicts where a run will end from runs that
    went to their end, and stops it when it has no chance left to be of use; it needs no further field.
    ``asha`` (asynchronous successive halving), ``hyperband`` (the same in several brackets of different
    patience) and ``median`` (worse than the median of the others) rank trials by one metric.

    Args:
        metric: A declared metric that trials report at every step; not with ``auto``.
        max_steps: Steps of a full run, for ``asha`` and ``hyperband``.
        method: One of :data:`METHODS`; by default ``asha`` where a metric is given, else ``auto``.
        grace: Steps before a trial may be stopped.
        reduction: At each rung the best 1/reduction of the trials go on (``asha``, ``hyperband``).
        min_runs: Trials that must have ended before any is stopped: a rank among two or three says little.
        risk: ``auto`` stops a run whose chance to be of use is below this.

    Raises:
        InvalidValue: A field breaks a rule, is missing for the method, or means nothing to it.
    """

    metric: str | None = None
    max_steps: int | None = None
    _: KW_ONLY
    method: str | None = None
    grace: int = 1
    reduction: float = 3
    min_runs: int = 5
    risk: float = 0.05

    def __post_init__(self) -> None:
        has_metric = self.metric is not None or self.max_steps is not None
        method = self.method or ("asha" if has_metric else "auto")
        object.__setattr__(self, "method", schema.choice(method, "early_stopping.method", METHODS))
        self._check_needs()
        grace = schema.integer(self.grace, "early_stopping.grace", at_least=1)
        schema.integer(self.min_runs, "early_stopping.min_runs", at_least=0)
        if self.metric is not None:
            schema.name(self.metric, "early_stopping.metric")
        if self.max_steps is not None:
            steps = schema.integer(self.max_steps, "early_stopping.max_steps", at_least=1)
            if grace > steps:
                rule = "must not be above max_steps"
                raise InvalidValue("early_stopping.grace", rule, given=grace, remedy=f"Use 1 to {steps}.")
        if schema.number(self.reduction, "early_stopping.reduction") <= 1:
            rule = "must be above 1"
            raise InvalidValue(
                "early_stopping.reduction", rule, given=self.reduction, remedy="3 or 4 is usual."
            )
        if not 0 < schema.number(self.risk, "early_stopping.risk") < 1:
            rule = "must lie between 0 and 1"
            raise InvalidValue("early_stopping.risk", rule, given=self.risk, remedy="0.05 is usual.")

    def to_dict(self) -> dict[str, Any]:
        """The wire form; :func:`read_early_stopping` gives the same value back."""
        return schema.plain({name: getattr(self, name) for name in FIELDS})

    def _check_needs(self) -> None:
        for name in _NEEDS[str(self.method)]:
            if getattr(self, name) is None:
                rule = f"is required by {self.method}"
                remedy = "Add it, or say EarlyStopping(), which needs nothing."
                raise InvalidValue(f"early_stopping.{name}", rule, remedy=remedy)
        if self.method == "auto":
            for name in ("metric", "max_steps"):
                if getattr(self, name) is not None:
                    rule = "means nothing to auto, which reads every objective and guardrail to its end"
                    remedy = "Drop it, or use another method."
                    raise InvalidValue(
                        f"early_stopping.{name}", rule, given=getattr(self, name), remedy=remedy
                    )


def read_early_stopping(value: Any) -> EarlyStopping:
    """A rule from its wire form (a mapping), the name of its method, or the value itself.

    Raises:
        InvalidValue: A key is unknown or a value breaks a rule.
    """
    if isinstance(value, EarlyStopping):
        return value
    if isinstance(value, str):
        return EarlyStopping(method=value)
    given = schema.mapping(value, "early_stopping")
    schema.only_keys(given, "early_stopping", FIELDS)
    return EarlyStopping(**{key: item for key, item in given.items() if item is not None})
