"""The declared rule by which a scheduler ends hopeless trials."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from heliostat import schema
from heliostat.errors import InvalidValue

METHODS = ("auto", "guardrails", "asha", "hyperband", "median", "moasha", "halving")
_NEEDS = {
    "asha": ("metric", "max_steps"),
    "hyperband": ("metric", "max_steps"),
    "median": ("metric",),
    "moasha": ("max_steps",),
    "halving": ("max_steps",),
}
_MEANINGLESS = {
    "auto": ("metric", "max_steps", "resource"),
    "guardrails": ("metric", "max_steps", "resource"),
    "median": ("resource",),
    "moasha": ("metric",),
    "halving": ("metric",),
}
_WHY = {
    "metric": "which reads every objective and guardrail",
    "max_steps": "which reads curves to their end",
    "resource": "which counts steps",
}
FIELDS = (
    "method", "metric", "max_steps", "grace", "reduction", "min_runs", "risk", "step", "resource",
    "irreversible",
)  # fmt: skip
"""Every field of the wire form."""

STEP = "training_iteration"
"""Ray Tune's own count of the results of a trial."""


@dataclass(frozen=True)
class EarlyStopping:
    """When to stop a trial before its end.

    ``auto`` reads the curves of all objectives and guardrails, predicts where a run will end from runs that
    went to their end, and stops it when it has no chance left to be of use; ``guardrails`` stops it as soon
    as a guardrail is surely lost. Neither needs a further field. ``moasha`` ranks trials at rungs by all
    objectives and guardrails; ``halving`` pauses those at rungs that promise less than new ones do, and
    resumes them from their checkpoints. ``asha`` (asynchronous successive halving), ``hyperband`` (the same
    in several brackets of different patience) and ``median`` (worse than the median of the others) rank
    trials by one metric.

    Args:
        metric: A declared metric that trials report at every step, for methods that rank by one.
        max_steps: Steps of a full run, or as much as it uses of `resource`, for methods with rungs.
        method: One of :data:`METHODS`; by default ``asha`` where a metric is given, else ``auto``.
        grace: Steps, or amount of `resource`, before a trial may be stopped: the first rung.
        reduction: At each rung the best 1/reduction of the trials go on.
        min_runs: Trials that must have ended before any is stopped: a rank among two or three says little.
        risk: ``auto`` stops a run whose chance to be of use is below this.
        step: What counts a run's steps: a number that it reports, such as ``epoch``, and that goes on where
            it was after a resumption. By default Ray Tune's count of results.
        resource: What rungs are measured in, if not in steps: a growing number that a trial reports, such as
            seconds or money spent; Ray Tune's own ``time_total_s`` is one.
        irreversible: Guardrails that never get better within a run (seconds used, peak memory, number of
            weights): missed once, they are lost.

    Raises:
        InvalidValue: A field breaks a rule, is missing for the method, or means nothing to it.
    """

    metric: str | None = None
    max_steps: float | None = None
    _: KW_ONLY
    method: str | None = None
    grace: float = 1
    reduction: float = 3
    min_runs: int = 5
    risk: float = 0.05
    step: str | None = None
    resource: str | None = None
    irreversible: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        has_metric = self.metric is not None or self.max_steps is not None
        method = self.method or ("asha" if has_metric else "auto")
        object.__setattr__(self, "method", schema.choice(method, "early_stopping.method", METHODS))
        self._check_needs()
        self._check_amounts()
        schema.integer(self.min_runs, "early_stopping.min_runs", at_least=0)
        for name in ("metric", "step", "resource"):
            if getattr(self, name) is not None:
                schema.name(getattr(self, name), f"early_stopping.{name}")
        names = tuple(schema.items(self.irreversible, "early_stopping.irreversible"))
        object.__setattr__(self, "irreversible", names)
        for name in names:
            schema.name(name, "early_stopping.irreversible")
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
        fields = {name: getattr(self, name) for name in FIELDS}
        return schema.plain({**fields, "irreversible": list(self.irreversible)})

    def _check_amounts(self) -> None:
        for name in ("grace", "max_steps"):
            value, field = getattr(self, name), f"early_stopping.{name}"
            if value is None:
                continue
            if self.resource is None:
                schema.integer(value, field, at_least=1)
            elif schema.number(value, field) <= 0:
                raise InvalidValue(field, "must be above 0", given=value, remedy="Give an amount of it.")
        if self.max_steps is not None and self.grace > self.max_steps:
            rule, remedy = "must not be above max_steps", f"Use at most {self.max_steps:g}."
            raise InvalidValue("early_stopping.grace", rule, given=self.grace, remedy=remedy)

    def _check_needs(self) -> None:
        method = str(self.method)
        for name in _NEEDS.get(method, ()):
            if getattr(self, name) is None:
                rule = f"is required by {method}"
                remedy = "Add it, or say EarlyStopping(), which needs nothing."
                raise InvalidValue(f"early_stopping.{name}", rule, remedy=remedy)
        for name in _MEANINGLESS.get(method, ()):
            if getattr(self, name) is not None:
                rule = f"means nothing to {method}, {_WHY[name]}"
                remedy, given = "Drop it, or use another method.", getattr(self, name)
                raise InvalidValue(f"early_stopping.{name}", rule, given=given, remedy=remedy)


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
