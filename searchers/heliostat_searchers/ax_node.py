"""Our searcher inside Ax's own client, as an external generation node.

Who has code around ``ax.api.Client`` keeps its experiments, trials, storage and analyses; the suggestions
come from a searcher of ours, which reads everything from the Ax experiment at each call::

    client.set_generation_strategy(GenerationStrategy("heliostat", nodes=[HeliostatNode()]))

Importing this module imports Ax, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metric, Metrics, guardrail, maximize, minimize
from heliostat.registry import check_supported, make_searcher
from heliostat.space import Categorical, Conditional, Double, Int, LinearConstraint, Space, Value
from heliostat.space.parameters import Conditions, Parameter
from heliostat.trial import History, Measurement, Run, State
from heliostat_searchers.ax_stock import LOGGERS
from heliostat_searchers.quiet import quiet

with quiet(*LOGGERS):
    from ax.core.data import Data
    from ax.core.experiment import Experiment as AxExperiment
    from ax.core.objective import Objective
    from ax.core.parameter import ChoiceParameter, FixedParameter, ParameterType, RangeParameter
    from ax.core.trial_status import TrialStatus
    from ax.core.types import ComparisonOp, TParameterization
    from ax.generation_strategy.external_generation_node import ExternalGenerationNode

STATES = {
    TrialStatus.COMPLETED: State.COMPLETED,
    TrialStatus.EARLY_STOPPED: State.EARLY_STOPPED,
    TrialStatus.FAILED: State.FAILED,
    TrialStatus.ABANDONED: State.CANCELLED,
    TrialStatus.STALE: State.CANCELLED,
}
"""Of ended trials; all others are under way."""


class HeliostatNode(ExternalGenerationNode):  # type: ignore[misc]  # Ax has no types
    """A searcher of ours that an Ax experiment asks.

    Args:
        name: Of the node.
        searcher: Which one, by name.
        budget: How many trials are planned: the initial design is at most half of it.
        seed: Of the searcher.
    """

    def __init__(
        self, name: str = "heliostat", *, searcher: str = "bayesian", budget: int = 100, seed: int = 0
    ) -> None:
        super().__init__(name=name, should_deduplicate=False)  # a searcher of ours proposes no point twice
        self._searcher = make_searcher(searcher)
        self._declared = {"searcher": searcher, "budget": budget, "seed": seed}
        self._translation: Translation | None = None
        self._runs: tuple[Run, ...] = ()

    def update_generator_state(self, experiment: AxExperiment, data: Data) -> None:
        """Read the experiment anew; see Ax.

        Raises:
            Unsupported: It has what no searcher of ours knows: task or fidelity parameters, scalarised
                objectives, relative or combined outcome constraints, equalities.
        """
        self._translation = Translation(experiment, self._declared)
        check_supported(self._translation.spec)
        self._runs = tuple(self._translation.runs(experiment, data))

    def get_next_candidate(self, pending_parameters: list[TParameterization]) -> TParameterization:
        """The next point; those that were given out since the last update count as under way."""
        if self._translation is None:
            raise RuntimeError("Ax asks only after an update")
        translation = self._translation
        known = [run.assignments for run in self._runs if run.state.is_open]
        open_ones = [translation.assignments(item) for item in pending_parameters]
        more = [Run(assignments=item) for item in open_ones if item not in known]
        history = History((*self._runs, *more))
        rng = np.random.default_rng([translation.spec.seed, len(history)])
        found = self._searcher.suggest(translation.spec, history, 1, rng)
        if not found:
            raise Unsupported("every point of the space was tried", remedy="Widen the search space.")
        self._runs = (*history.runs, Run(assignments=found[0].assignments))
        return translation.parameterization(found[0].assignments)


class Translation:
    """An Ax experiment as a declaration of ours, and points from one to the other.

    Parameters and metrics get ids of our own (``p0``, ``m0``), since Ax admits names that we do not.

    Args:
        experiment: Ax's.
        declared: Fields of the declaration that Ax has no word for.
    """

    def __init__(self, experiment: AxExperiment, declared: Mapping[str, Any]) -> None:
        tunable = experiment.search_space.tunable_parameters
        self._fixed = {
            name: item.value
            for name, item in experiment.search_space.parameters.items()
            if isinstance(item, FixedParameter)
        }
        self._ids = {name: f"p{place}" for place, name in enumerate(tunable)}
        self._choices = {
            self._ids[name]: {str(value): value for value in item.values}
            for name, item in tunable.items()
            if isinstance(item, ChoiceParameter)
        }
        metrics = list(_metrics(experiment))  # one of Ax's may steer and be limited, even on both sides
        self._metrics = [(name, metric.name) for name, metric in metrics]
        self.spec = ExperimentSpec(
            name="ax",
            space=self._space(experiment, tunable),
            metrics=Metrics(tuple(metric for _, metric in metrics)),
            **declared,
        )

    def assignments(self, parameters: Mapping[str, Any]) -> dict[str, Value]:
        """One of Ax's points in our names and types."""
        found: dict[str, Value] = {}
        for name, value in parameters.items():
            if name in self._ids and value is not None:
                item = self.spec.space.by_name[self._ids[name]]
                found[item.name] = str(value) if isinstance(item, Categorical) else value
        return found

    def parameterization(self, assignments: Mapping[str, Value]) -> TParameterization:
        """One of our points in Ax's names and types, its fixed parameters included."""
        names = {ident: name for name, ident in self._ids.items()}
        values = {
            names[ident]: self._choices.get(ident, {}).get(str(value), value)
            for ident, value in assignments.items()
        }
        return {**self._fixed, **values}

    def runs(self, experiment: AxExperiment, data: Data) -> Iterator[Run]:
        """The trials' arms as runs, in order, with the last value of each metric."""
        last = {(row.trial_index, row.arm_name, row.metric_name): row for row in data.df.itertuples()}
        number = 0
        for index, trial in sorted(experiment.trials.items()):
            state = STATES.get(trial.status, State.ACTIVE)
            for arm in trial.arms:
                number += 1
                values = {
                    ident: Measurement(float(row.mean), None if np.isnan(row.sem) else float(row.sem))
                    for name, ident in self._metrics
                    if (row := last.get((index, arm.name, name))) is not None
                }
                yield Run(
                    number=number,
                    id=number,
                    assignments=self.assignments(arm.parameters),
                    state=state,
                    values={} if state.is_open else values,
                )

    def _space(self, experiment: AxExperiment, tunable: Mapping[str, Any]) -> Space:
        conditions = self._conditions(tunable)
        parameters: list[Parameter] = [
            _parameter(self._ids[name], item, conditions.get(name, {})) for name, item in tunable.items()
        ]
        switches = {switch for wanted in conditions.values() for switch in wanted}
        return Space(
            tuple(item for item in parameters if item.name not in switches),
            tuple(
                Conditional(item.name, item.values, conditions=item.conditions)
                for item in parameters
                if isinstance(item, Categorical) and item.name in switches
            ),
            tuple(self._line(item) for item in experiment.search_space.parameter_constraints),
        )

    def _conditions(self, tunable: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
        """For each parameter that has them: switch → its values under which it lives."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for switch, item in tunable.items():
            if isinstance(item, ChoiceParameter) and item.is_hierarchical:
                for value, children in item.dependents.items():
                    for child in children:
                        wanted = found.setdefault(child, {})
                        wanted[self._ids[switch]] = (*wanted.get(self._ids[switch], ()), str(value))
        return found

    def _line(self, item: Any) -> LinearConstraint:
        terms = tuple((self._ids[name], float(weight)) for name, weight in item.constraint_dict.items())
        return LinearConstraint("less_than", float(item.bound), terms)


def _parameter(ident: str, item: Any, conditions: Mapping[str, Sequence[str]]) -> Parameter:
    lives: Conditions = tuple((switch, tuple(values)) for switch, values in conditions.items())
    if item.is_fidelity or getattr(item, "is_task", False):
        rule = f"Ax's task and fidelity parameters have no place here; {item.name!r} is one"
        raise Unsupported(rule, remedy="Declare tasks in an experiment of heliostat's own.")
    if isinstance(item, RangeParameter):
        if item.parameter_type == ParameterType.INT:
            return Int(ident, int(item.lower), int(item.upper), log=item.log_scale, conditions=lives)
        return Double(ident, item.lower, item.upper, log=item.log_scale, conditions=lives)
    if not isinstance(item, ChoiceParameter):
        raise Unsupported(f"{type(item).__name__} {item.name!r} has no place here", remedy="Leave it out.")
    is_number = item.parameter_type in (ParameterType.INT, ParameterType.FLOAT)
    if is_number and item.is_ordered and not item.is_hierarchical and len(item.values) > 1:
        grid = tuple(sorted(item.values))
        kind: Any = Int if item.parameter_type == ParameterType.INT else Double
        return kind(ident, grid=grid, conditions=lives)  # type: ignore[no-any-return]  # Int or Double
    return Categorical(ident, tuple(str(value) for value in item.values), conditions=lives)


def _metrics(experiment: AxExperiment) -> Iterator[tuple[str, Metric]]:
    """Ax's names and the metrics that they steer by."""
    config = experiment.optimization_config
    if config is None:
        raise Unsupported("the Ax experiment has nothing to optimize", remedy="Call configure_optimization.")
    objective: Objective = config.objective
    if objective.is_scalarized_objective:
        rule = f"the objective {objective.expression!r} is a weighted sum"
        raise Unsupported(rule, remedy="Report the sum as a metric of its own.")
    thresholds = {_one(item): float(item.bound) for item in getattr(config, "objective_thresholds", ())}
    idents = (f"m{place}" for place in range(10_000))
    for name, weight in objective.metric_weights:
        made = (maximize if weight > 0 else minimize)(next(idents), threshold=thresholds.get(name))
        yield name, made
    for item in config.outcome_constraints:
        name, limit = _one(item), float(item.bound)
        is_upper = item.op == ComparisonOp.LEQ
        yield (
            name,
            guardrail(next(idents), at_most=limit) if is_upper else guardrail(next(idents), at_least=limit),
        )


def _one(item: Any) -> str:
    """The metric of an outcome constraint or an objective's threshold."""
    if item.relative or len(item.metric_weights) != 1 or item.metric_weights[0][1] != 1:
        rule = f"the outcome constraint {item} is relative to a status quo, or on more than one metric"
        raise Unsupported(rule, remedy="Report what is limited as a metric of its own.")
    return str(item.metric_weights[0][0])
