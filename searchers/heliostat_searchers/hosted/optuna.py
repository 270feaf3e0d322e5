"""Optuna's samplers behind our interface; by default its Tree-structured Parzen Estimator.

TPE is of Bergstra et al. 2011, *Algorithms for Hyper-Parameter Optimization*; Optuna's multivariate form is
described in Watanabe 2023, *Tree-Structured Parzen Estimator: Understanding Its Algorithm Components* (arXiv
2304.11127), that for several objectives in Ozaki et al. 2022, *Multiobjective tree-structured Parzen
estimator* (JAIR 73), that for constraints in Watanabe and Hutter 2023, *c-TPE* (arXiv 2211.14411). Optuna 5
by itself takes the multivariate form for one objective and the constant liar for open runs. What is not told
to Optuna: priors, standard errors, thresholds of objectives. Grids are told as integers, the places of their
values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from heliostat.experiment import ExperimentSpec
from heliostat.space import Categorical, Double, Parameter, Value
from heliostat.trial import History, Proposal, State
from heliostat_searchers.hosted.asking import proposals, require
from heliostat_searchers.hosted.lessons import Lesson, lessons
from heliostat_searchers.quiet import quiet

if TYPE_CHECKING:
    import numpy as np
    from optuna.samplers import BaseSampler

MAJOR = 5
"""Before 5, constraints could be told only through a function that reads stored trials."""

LOGGERS = ("optuna.storages._in_memory",)
"""Optuna's loggers that speak when a study is made."""


class OptunaSearcher:
    """Optuna, asked with the history of the experiment.

    Args:
        sampler: Seed → sampler, one that keeps nothing of its own between trials: TPE (when left out), GP,
            random. CMA-ES and NSGA-II keep generations in their trials and would begin anew at each call.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"multimetric", "guardrails", "conditionals", "linear_constraints"}
    )

    def __init__(self, sampler: Callable[[int], BaseSampler] | None = None) -> None:
        require("optuna", MAJOR)
        self._sampler = sampler or _tpe

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`."""
        told = lessons(spec, history)
        return proposals(
            "Optuna", spec, history, count, rng, lambda seed: StudyDialogue(spec, told, self._sampler(seed))
        )


def _tpe(seed: int) -> BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


class StudyDialogue:
    """A study in memory that holds the history; see :class:`heliostat_searchers.hosted.asking.Dialogue`."""

    def __init__(self, spec: ExperimentSpec, told: Sequence[Lesson], sampler: BaseSampler) -> None:
        import optuna

        self._space = spec.space
        with quiet(*LOGGERS):
            directions = [metric.objective for metric in spec.metrics.objectives]
            self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._distributions = {item.name: _distribution(item) for item in spec.space.dimensions}
        for lesson in told:
            self._study.add_trial(self._trial(spec, lesson))

    def ask(self) -> dict[str, Value]:
        """Define by run: each switch is asked before the parameters that it brings to life."""
        trial = self._study.ask()
        values: dict[str, Value] = {}
        for item in self._space.dimensions:
            if self._space.is_alive(item, values):
                values[item.name] = _decoded(item, _suggested(trial, item))
        return values

    def _trial(self, spec: ExperimentSpec, lesson: Lesson) -> Any:
        from optuna.trial import TrialState, create_trial

        state = {
            State.COMPLETED: TrialState.COMPLETE,
            State.EARLY_STOPPED: TrialState.PRUNED if len(spec.metrics.objectives) == 1 else TrialState.FAIL,
            State.ACTIVE: TrialState.RUNNING,
        }.get(lesson.state, TrialState.FAIL)
        is_complete = state is TrialState.COMPLETE
        return create_trial(
            state=state,
            params={
                name: _encoded(self._space.by_name[name], value) for name, value in lesson.assignments.items()
            },
            distributions={name: self._distributions[name] for name in lesson.assignments},
            values=[lesson.values[metric.name] for metric in spec.metrics.objectives]
            if is_complete
            else None,
            intermediate_values=dict(lesson.curve) if state is TrialState.PRUNED else None,
            constraints={
                metric.name: metric.sign * (metric.threshold - lesson.values[metric.name])
                for metric in spec.metrics.guardrails
                if metric.threshold is not None and metric.name in lesson.values
            }
            if is_complete
            else None,
        )


def _suggested(trial: Any, item: Parameter) -> Any:
    if isinstance(item, Categorical):
        return trial.suggest_categorical(item.name, item.values)
    if item.grid is not None:
        return trial.suggest_int(item.name, 0, len(item.grid) - 1)
    suggest = trial.suggest_float if isinstance(item, Double) else trial.suggest_int
    return suggest(item.name, *item.bounds, log=item.log)


def _distribution(item: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(item, Categorical):
        return CategoricalDistribution(item.values)
    if item.grid is not None:
        return IntDistribution(0, len(item.grid) - 1)
    kind = FloatDistribution if isinstance(item, Double) else IntDistribution
    return kind(*item.bounds, log=item.log)


def _encoded(item: Parameter, value: Value) -> Any:
    if isinstance(item, Categorical) or item.grid is None:
        return value
    return item.grid.index(value)


def _decoded(item: Parameter, answer: Any) -> Value:
    if isinstance(item, Categorical) or item.grid is None:
        return item.check(answer, item.name)
    return item.grid[int(answer)]
