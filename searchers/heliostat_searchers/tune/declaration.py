"""What a script of Ray Tune says about its search, as an experiment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from heliostat import Experiment
from heliostat.errors import InvalidValue
from heliostat.metrics import Metric, guardrail
from heliostat_searchers.tune.domains import Converted, converted

OBJECTIVES = {"min": "minimize", "max": "maximize"}
STORED = "obs"
"""Ray Tune's third mode, which only list-valued ones may have: watched, not optimized."""

FOLDER = "tune_folder"
"""Key of an experiment's metadata under which the folder of its Ray Tune experiment is kept."""


@dataclass(frozen=True)
class Declaration:
    """The arguments of :class:`~heliostat_searchers.tune.HeliostatSearch` that make an experiment.

    Args:
        metric: Name, or names, of what is optimized.
        mode: ``min``, ``max``, or ``obs`` (kept, not optimized), one for each name.
        guardrails: Limits to keep: sentences (``"latency_ms <= 20"``) or :func:`heliostat.guardrail`.
        space: As ``param_space``; ``None``: the tuner's.
        points_to_evaluate: Configurations to try first.
        evaluated_rewards: What the first of them have measured already: a number each, or a mapping of
            metrics to numbers.
        budget: How many trials; by default the tuner's ``num_samples``.
        fields: Other fields of the experiment: ``seed``, ``searcher``, ``name``, ``project``, …
        field: What error texts call the space.

    Raises:
        InvalidValue: A metric or the space cannot be understood.
    """

    metric: str | Sequence[str] | None = None
    mode: str | Sequence[str] | None = None
    guardrails: Sequence[str | Metric] = ()
    space: Mapping[str, Any] | None = None
    points_to_evaluate: Sequence[Mapping[str, Any]] = ()
    evaluated_rewards: Sequence[Any] = ()
    budget: int | None = None
    fields: Mapping[str, Any] | None = None
    field: str = "space"

    def __post_init__(self) -> None:
        _ = self.metrics
        if self.space is not None:
            _ = self.converted
        if len(self.evaluated_rewards) > len(self.points_to_evaluate):
            rule, remedy = "are more than points_to_evaluate", "Give the point of each."
            raise InvalidValue("evaluated_rewards", rule, given=len(self.evaluated_rewards), remedy=remedy)

    @property
    def names(self) -> list[str]:
        """The named metrics, in order."""
        return [] if self.metric is None else _listed(self.metric)

    @property
    def metrics(self) -> list[Metric]:
        """The experiment's metrics."""
        names, modes = self.names, [] if self.mode is None else _listed(self.mode)
        if len(names) != len(modes):
            rule = f"metric and mode belong together (there are {len(names)} and {len(modes)})"
            raise InvalidValue("mode", rule, given=self.mode, remedy="Give each metric its min or max.")
        limits = [item if isinstance(item, Metric) else guardrail(item) for item in self.guardrails]
        return [*(_metric(name, mode) for name, mode in zip(names, modes, strict=True)), *limits]

    @cached_property
    def converted(self) -> Converted:
        """The space."""
        return converted({} if self.space is None else self.space, self.field)

    def completed(self, metric: str | None, mode: str | None) -> Declaration:
        """The declaration with the tuner's metric, where it names none itself.

        Raises:
            InvalidValue: The two contradict each other.
        """
        if metric is None:
            return self
        if not self.names:
            return replace(self, metric=metric, mode=mode or "max")
        if metric not in [item.name for item in self.metrics]:
            rule, remedy = "is no metric of the search", f"It has {', '.join(self.names)}."
            raise InvalidValue("tune_config.metric", rule, given=metric, remedy=remedy)
        return self

    def knowing(self, point: Mapping[str, Any], reward: Any) -> Declaration:
        """The declaration with one more evaluated point."""
        points, rewards = (point, *self.points_to_evaluate), (reward, *self.evaluated_rewards)
        return replace(self, points_to_evaluate=points, evaluated_rewards=rewards)

    def create(self, name: str, folder: str, samples: int, log: Any) -> Experiment:
        """Declare the experiment, with the user's points.

        Args:
            name: Of the Ray Tune run; a name among the fields goes before it.
            folder: Of the Ray Tune run.
            samples: Its ``num_samples``; the largest int for no end.
            log: Where to.

        Raises:
            InvalidValue: Something is missing, or breaks a rule.
        """
        if self.space is None:
            rule, remedy = "is missing", "Give it to tune.Tuner, or here as space=."
            raise InvalidValue("param_space", rule, remedy=remedy)
        if not self.metrics:
            remedy = "Give metric and mode to HeliostatSearch, or with a param_space to TuneConfig."
            raise InvalidValue("metric", "what is to be optimized is missing", remedy=remedy)
        budget = self.budget
        if budget is None and samples < sys.maxsize:
            budget = samples + len(self.evaluated_rewards)
        fields = dict(self.fields or {})
        experiment = Experiment(
            fields.pop("name", None) or name[:100],
            parameters=self.converted.parameters,
            conditionals=self.converted.conditionals,
            metrics=self.metrics,
            budget=budget,
            metadata={**fields.pop("metadata", {}), FOLDER: folder},
            log=log,
            **fields,
        )
        self._add_points(experiment)
        return experiment

    def _add_points(self, experiment: Experiment) -> None:
        for place, point in enumerate(self.points_to_evaluate):
            field = f"points_to_evaluate[{place}]"
            values = self.converted.layout.read(point, field)
            if place < len(self.evaluated_rewards):
                known = self.measured(self.evaluated_rewards[place], f"evaluated_rewards[{place}]")
                experiment.add(values, known)
            else:
                experiment.queue(values, why="among points_to_evaluate")

    def measured(self, reward: Any, field: str) -> dict[str, Any]:
        """A reward as metric values.

        Raises:
            InvalidValue: It is one number for several metrics.
        """
        if isinstance(reward, Mapping):
            return dict(reward)
        steering = [item.name for item in self.metrics if item.strategy != "store"]
        if len(steering) != 1:
            remedy = f"Write {{{', '.join(f'{name!r}: …' for name in steering)}}}."
            raise InvalidValue(field, "must name its metrics", given=reward, remedy=remedy)
        return {steering[0]: reward}


def _metric(name: str, mode: str) -> Metric:
    if mode == STORED:
        return Metric(name, strategy="store")
    if mode not in OBJECTIVES:
        raise InvalidValue("mode", "must be min, max or obs", given=mode, remedy="Say which way is better.")
    return Metric(name, OBJECTIVES[mode])


def _listed(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)
