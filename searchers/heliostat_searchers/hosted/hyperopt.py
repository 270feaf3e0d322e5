"""Hyperopt's Tree-structured Parzen Estimator behind our interface.

Bergstra et al. 2011, *Algorithms for Hyper-Parameter Optimization*; Bergstra, Yamins and Cox 2013, *Making a
Science of Model Search*. Hyperopt's own treatment of trials without a loss: failed and open runs count as the
worst of all. A run that was stopped early counts with what it had shown last. What is not told to Hyperopt:
priors, standard errors. Grids are told as integers, the places of their values, and doubles by their place in
[0, 1], logarithmic where they are: the method does not see the difference, but would draw for ever in a range
that overflows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any, ClassVar

from heliostat.experiment import ExperimentSpec
from heliostat.space import Categorical, Double, Parameter, Space, Value
from heliostat.trial import History, Proposal, State
from heliostat_searchers.hosted.asking import LARGEST_SEED, proposals, require
from heliostat_searchers.hosted.lessons import Lesson, inside, lessons

if TYPE_CHECKING:
    import numpy as np


class HyperoptSearcher:
    """Hyperopt, asked with the history of the experiment; one objective, no guardrails."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"conditionals", "linear_constraints"})

    def __init__(self) -> None:
        require("hyperopt", 0)

    def suggest(
        self, spec: ExperimentSpec, history: History, count: int, rng: np.random.Generator
    ) -> Sequence[Proposal]:
        """Up to `count` new points; see :class:`heliostat.ports.Searcher`."""
        told = lessons(spec, history)
        return proposals("Hyperopt", spec, history, count, rng, lambda seed: TrialsDialogue(spec, told, seed))


class TrialsDialogue:
    """Hyperopt's trials that hold the history; see :class:`heliostat_searchers.hosted.asking.Dialogue`."""

    def __init__(self, spec: ExperimentSpec, told: Sequence[Lesson], seed: int) -> None:
        import numpy as np
        from hyperopt import Trials
        from hyperopt.base import Domain

        self._space = spec.space
        self._rng = np.random.default_rng(seed)
        self._domain = Domain(lambda _: 0.0, _tree(spec.space))
        self._trials = Trials()
        self._add(list(self._documents(spec, told)))

    def ask(self) -> dict[str, Value]:
        """The values of the labels that Hyperopt's tree brought to life."""
        from hyperopt import tpe

        seed = int(self._rng.integers(LARGEST_SEED))
        place = len(self._trials.trials)
        (answer,) = tpe.suggest([place], self._domain, self._trials, seed, verbose=False)
        self._add([answer])
        answers = {name: found[0] for name, found in answer["misc"]["vals"].items() if len(found)}
        values: dict[str, Value] = {}
        for item in self._space.dimensions:
            if self._space.is_alive(item, values):
                values[item.name] = _decoded(item, answers[item.name])
        return values

    def _documents(self, spec: ExperimentSpec, told: Sequence[Lesson]) -> Iterator[dict[str, Any]]:
        for place, lesson in enumerate(told):
            loss = _loss(spec, lesson)
            result = {"status": "new"} if loss is None else {"status": "ok", "loss": loss}
            codes = {
                name: _encoded(self._space.by_name[name], value) for name, value in lesson.assignments.items()
            }
            labels = self._space.by_name
            misc = {
                "tid": place,
                "cmd": self._domain.cmd,
                "workdir": None,
                "idxs": {name: [place] if name in codes else [] for name in labels},
                "vals": {name: [codes[name]] if name in codes else [] for name in labels},
            }
            yield from self._trials.new_trial_docs([place], [None], [result], [misc])

    def _add(self, documents: list[dict[str, Any]]) -> None:
        self._trials.insert_trial_docs(documents)
        self._trials.refresh()


def _loss(spec: ExperimentSpec, lesson: Lesson) -> float | None:
    """What Hyperopt minimises; None where there is nothing (yet)."""
    (metric,) = spec.metrics.objectives
    if lesson.state is State.COMPLETED:
        return -metric.sign * lesson.values[metric.name]
    if lesson.state is State.EARLY_STOPPED and lesson.curve:
        return -metric.sign * lesson.curve[max(lesson.curve)]
    return None


def _tree(space: Space) -> dict[str, Any]:
    """Hyperopt's expression of a space: each parameter behind the switches that bring it to life.

    ``hp.choice`` is ``switch`` over a random index. Here several parameters hang on one index, in any depth
    and for any set of its values, which a tree of ``hp.choice`` could not say.
    """
    nodes = {item.name: _node(item) for item in space.dimensions}
    return {item.name: _gated(space, item, nodes, nodes[item.name]) for item in space.dimensions}


def _gated(space: Space, item: Parameter, nodes: Mapping[str, Any], inner: Any) -> Any:
    """`inner` where all conditions of `item` hold, those of its switches too; None elsewhere."""
    from hyperopt.pyll import scope

    for name, wanted in item.conditions:
        switch = space.by_name[name]
        if isinstance(switch, Categorical):
            branches = (inner if value in wanted else None for value in switch.values)
            inner = _gated(space, switch, nodes, scope.switch(nodes[name], *branches))
    return inner


def _node(item: Parameter) -> Any:
    """The distribution of a parameter; integers own the half on each side of them."""
    from hyperopt import hp

    if isinstance(item, Categorical):
        return hp.randint(item.name, item.size)
    if item.grid is not None:
        return hp.quniform(item.name, -0.5, len(item.grid) - 0.5, 1)
    low, high = item.bounds
    if isinstance(item, Double):
        return hp.uniform(item.name, 0, 1)
    if item.log:
        return hp.qloguniform(item.name, log(low - 0.5), log(high + 0.5), 1)
    return hp.quniform(item.name, low - 0.5, high + 0.5, 1)


def _encoded(item: Parameter, value: Value) -> Any:
    if isinstance(item, Categorical):
        return item.values.index(str(value))
    if item.grid is not None:
        return item.grid.index(value)
    return item.to_unit(value) if isinstance(item, Double) else value


def _decoded(item: Parameter, answer: Any) -> Value:
    if isinstance(item, Categorical):
        return item.values[int(answer)]
    if item.grid is not None:
        place: int = round(answer)
        return item.grid[min(max(place, 0), len(item.grid) - 1)]
    return item.from_unit(float(answer)) if isinstance(item, Double) else inside(item, round(answer))
