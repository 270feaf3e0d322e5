"""Whom a scheduler serves: an experiment of ours, or any Ray Tune script that names its metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping, MutableSet
from dataclasses import dataclass, field

from heliostat import Experiment
from heliostat.engine import Engine
from heliostat.errors import InvalidValue
from heliostat.metrics import Metric, Metrics
from heliostat.trial import History


@dataclass(frozen=True, eq=False)
class Subject:
    """What a scheduler reads and writes of its sweep.

    Args:
        metrics: What is optimized and guarded.
        engine: The experiment's steering, if it is one of ours.
        stops: Trial id → why it was stopped; whoever records the trial's end reads it.
        paused: Ids of trials that are paused: they hold no worker.
    """

    metrics: Metrics
    engine: Engine | None = None
    stops: MutableMapping[str, str] = field(default_factory=dict)
    paused: MutableSet[str] = field(default_factory=set)

    @property
    def history(self) -> History:
        """Runs of earlier sweeps, with their curves."""
        return History() if self.engine is None else self.engine.history

    def key(self, trial: str) -> str:
        """What a trial is known by: its run, which keeps its name when it is tried again."""
        run = None if self.engine is None else self.engine.trials.get(trial)
        return trial if run is None else key_of(run)

    def guardrails(self, names: Collection[str]) -> tuple[str, ...]:
        """The names, if all are guardrails.

        Raises:
            InvalidValue: One is not.
        """
        known = [metric.name for metric in self.metrics.guardrails]
        for name in names:
            if name not in known:
                rule, remedy = "must name guardrails", f"Known: {', '.join(known) or 'none'}."
                raise InvalidValue("irreversible", rule, given=name, remedy=remedy)
        return tuple(names)

    @property
    def is_over(self) -> bool:
        """Whether no further run will ever be proposed; ``False`` where that is not known."""
        engine = self.engine
        if engine is None or engine.is_queued or engine.waiting:
            return False
        return engine.remaining == 0 or engine.is_exhausted or engine.is_closed


def key_of(run: int) -> str:
    """What a run of the log is known by."""
    return f"run {run}"


def subject(of: Experiment | Engine | Metrics | Iterable[Metric]) -> Subject:
    """The subject that a user names: an experiment, or metrics alone."""
    if isinstance(of, Experiment):
        of = of.engine
    if isinstance(of, Engine):
        return Subject(of.spec.metrics, of, of.stops, of.paused)
    return Subject(of if isinstance(of, Metrics) else Metrics(tuple(of)))
