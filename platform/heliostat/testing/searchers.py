"""The contract of searchers, as a pytest class: what every one of them, ours and yours, must keep.

::

    class TestMySearcher(SearcherContract):
        @pytest.fixture
        def searcher(self):
            return MySearcher()
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf, nan
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, minimize
from heliostat.ports import CAPABILITIES, Searcher
from heliostat.space import Double, Space, Value, sample
from heliostat.testing.problems import SMALL, ZOO
from heliostat.testing.spaces import spaces
from heliostat.trial import Checkpoint, Failure, History, Measurement, Proposal, Run, State

SEED = 20
"""Of all random choices here."""

GRID = 25
"""Values that stand for a continuum: twice as many as the longest history has runs."""

Recipe = Callable[[ExperimentSpec], History]


def completed(
    spec: ExperimentSpec, count: int, *, seed: int, places: Sequence[Mapping[str, Value]] | None = None
) -> History:
    """`count` completed runs at random (or the given) places, with smooth values in every metric."""
    rng = np.random.default_rng(seed)
    drawn = sample(spec.space, rng, count) if places is None and count else list(places or ())
    return History(tuple(_run(spec, number, values) for number, values in enumerate(drawn)))


def _run(spec: ExperimentSpec, number: int, assignments: Mapping[str, Value]) -> Run:
    unit = spec.space.encode(assignments)
    values = {
        metric.name: Measurement(float(np.sum((unit - 0.2 - 0.15 * place) ** 2) - 0.3))
        for place, metric in enumerate(spec.metrics.all)
    }
    return Run(number=number + 1, assignments=dict(assignments), state=State.COMPLETED, values=values)


def _with(history: History, **changes: object) -> History:
    return History(tuple(replace(run, **changes) for run in history.runs))  # type: ignore[arg-type]


def _valued(spec: ExperimentSpec, count: int, value: Callable[[int, float], Measurement]) -> History:
    runs = []
    for place, run in enumerate(completed(spec, count, seed=5).runs):
        values = {name: value(place, measured.value) for name, measured in run.values.items()}
        runs.append(replace(run, values=values))
    return History(tuple(runs))


def _failed(spec: ExperimentSpec) -> History:
    failure = Failure("user_error", "boom")
    return _with(completed(spec, 12, seed=5), state=State.FAILED, values={}, failure=failure)


def _duplicates(spec: ExperimentSpec) -> History:
    first = completed(spec, 1, seed=5).runs[0]
    return History(tuple(replace(first, number=number + 1) for number in range(10)))


def _near_duplicates(spec: ExperimentSpec) -> History:
    return History(completed(spec, 6, seed=5).runs * 4)


def _mixture(spec: ExperimentSpec) -> History:
    """All states at once, with curves; stopped runs have shown half of theirs."""
    states = (State.COMPLETED, State.EARLY_STOPPED, State.FAILED, State.LOST, State.CANCELLED, State.ACTIVE)
    runs = []
    for place, run in enumerate(completed(spec, 24, seed=5).runs):
        state = states[place % len(states)]
        length = {State.COMPLETED: 8, State.EARLY_STOPPED: 4}.get(state, 0)
        curve = tuple(
            Checkpoint(step, {name: value + 1.0 / step for name, value in run.numbers.items()})
            for step in range(1, length + 1)
        )
        kept = run.values if state is State.COMPLETED else {}
        runs.append(replace(run, state=state, curve=curve, values=kept))
    return History(tuple(runs))


def _stopped_without_curves(spec: ExperimentSpec) -> History:
    runs = completed(spec, 12, seed=5).runs
    stopped = [replace(run, state=State.EARLY_STOPPED) for run in runs[:8]]
    return History((*stopped, *runs[8:]))


HISTORIES: Mapping[str, Recipe] = MappingProxyType(
    {
        "empty": lambda spec: History(),
        "one run": lambda spec: completed(spec, 1, seed=5),
        "all failed": _failed,
        "constant": lambda spec: _valued(spec, 12, lambda place, value: Measurement(1.0)),
        "ten times the same point": _duplicates,
        "every point four times": _near_duplicates,
        "some NaN": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement(nan if place % 3 == 0 else value)
        ),
        "all NaN": lambda spec: _valued(spec, 12, lambda place, value: Measurement(nan)),
        "an infinity": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement(inf if place == 4 else value)
        ),
        "1e300": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement((-1) ** place * 1e300 if place < 3 else value)
        ),
        "1e30": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement(1e30 if place == 4 else value)
        ),
        "tiny differences": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement(1e6 + 1e-9 * value)
        ),
        "noise on half the rows": lambda spec: _valued(
            spec, 12, lambda place, value: Measurement(value, 0.1 if place % 2 else None)
        ),
        "noise of zero": lambda spec: _valued(spec, 12, lambda place, value: Measurement(value, 0.0)),
        "only pending": lambda spec: _with(completed(spec, 12, seed=5), state=State.ACTIVE, values={}),
        "all states": _mixture,
        "stopped without curves": _stopped_without_curves,
        "all stopped": lambda spec: _with(completed(spec, 12, seed=5), state=State.EARLY_STOPPED),
    }
)
"""Recipes by what is odd about their history."""


class SearcherContract:
    """Tests of one searcher; override `searcher`, and the class attributes where needed."""

    zoo: ClassVar[tuple[str, ...]] = tuple(ZOO)
    """Names of the experiments that are tried, of :data:`heliostat.testing.problems.ZOO`."""

    histories: ClassVar[tuple[str, ...]] = tuple(HISTORIES)
    """Names of the histories that must be survived, of :data:`HISTORIES`."""

    examples: ClassVar[int] = 15
    """Random spaces to draw."""

    small: ClassVar[ExperimentSpec] = SMALL
    """A finite experiment to exhaust, of at least four points."""

    finite_only: ClassVar[bool] = False
    """Whether the searcher refuses spaces with a continuum, as a grid does."""

    @pytest.fixture
    def searcher(self) -> Searcher:
        """The searcher to test."""
        raise NotImplementedError("override the fixture `searcher`")

    def test_capabilities_are_known(self, searcher: Searcher) -> None:
        """A misspelt capability would silently refuse experiments."""
        assert searcher.capabilities <= set(CAPABILITIES)

    @pytest.mark.parametrize("name", list(ZOO))
    def test_suggestions_are_legal(self, searcher: Searcher, name: str) -> None:
        """Before and after results, each proposal passes the space's own check."""
        spec = self._spec(searcher, name)
        for history in (History(), completed(spec, 12, seed=1)):
            proposals = self._suggest(searcher, spec, history, 2)
            assert len(proposals) == 2
            for proposal in proposals:
                assert spec.space.check(proposal.assignments) == dict(proposal.assignments)
                assert set(proposal.predicted) <= {metric.name for metric in spec.metrics.all}

    @pytest.mark.parametrize("name", list(ZOO))
    def test_same_arguments_give_same_suggestions(self, searcher: Searcher, name: str) -> None:
        """A second call and a new object answer the same, and neither changes the history."""
        spec = self._spec(searcher, name)
        history = completed(spec, 12, seed=2)
        before = copy.deepcopy(history)
        first = self._suggest(searcher, spec, history, 2)
        assert history == before
        assert self._suggest(searcher, spec, history, 2) == first
        assert self._suggest(type(searcher)(), spec, before, 2) == first

    @pytest.mark.parametrize("name", list(HISTORIES))
    def test_odd_histories_are_survived(self, searcher: Searcher, name: str) -> None:
        """Whatever happened so far, there is a next point."""
        if name not in self.histories:
            pytest.skip("not among this suite's histories")
        for zoo_name in ("one objective", "guarded"):
            if zoo_name in self.zoo:
                spec = self._spec(searcher, zoo_name)
                proposals = self._suggest(searcher, spec, HISTORIES[name](spec), 2)
                assert len(proposals) == 2
                for proposal in proposals:
                    spec.space.check(proposal.assignments)
                    finite = [number.mean for number in proposal.predicted.values()]
                    assert np.isfinite(finite).all()

    def test_a_finite_space_is_exhausted_without_repeats(self, searcher: Searcher) -> None:
        """One by one, with all runs open, each point comes once; then there is nothing left."""
        everything = list(self.small.space.every())
        history = History()
        for number in range(len(everything)):
            (proposal,) = self._suggest(searcher, self.small, history, 1)
            assert dict(proposal.assignments) in everything
            everything.remove(dict(proposal.assignments))
            history = _with_open(history, number, proposal.assignments)
        assert self._suggest(searcher, self.small, history, 1) == []

    def test_a_batch_is_distinct_and_ends_with_the_space(self, searcher: Searcher) -> None:
        """Asked for more than is left, it returns what is left, each once."""
        everything = list(self.small.space.every())
        half = len(everything) // 2
        done = completed(self.small, half, seed=0, places=everything[:half])
        history = _with_open(done, half, everything[half])
        left = everything[half + 1 :]
        found = [dict(proposal.assignments) for proposal in self._suggest(searcher, self.small, history, 20)]
        assert sorted(map(str, found)) == sorted(map(str, left))

    def test_open_runs_are_not_suggested_again(self, searcher: Searcher) -> None:
        """Twelve workers that all wait get twelve different points."""
        if "one objective" not in self.zoo:
            pytest.skip("not in this suite's zoo")
        spec = self._spec(searcher, "one objective")
        history = History()
        for number in range(12):
            (proposal,) = self._suggest(searcher, spec, history, 1)
            assert dict(proposal.assignments) not in [dict(run.assignments) for run in history.runs]
            history = _with_open(history, number, proposal.assignments)

    def test_random_spaces(self, searcher: Searcher) -> None:
        """Legal and repeatable in spaces that nobody thought of."""

        @settings(
            max_examples=self.examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(spaces(finite=self.finite_only), st.integers(0, 9))
        def holds(space: Space, count: int) -> None:
            spec = ExperimentSpec("random", space, Metrics((minimize("loss"),)), seed=SEED)
            if not spec.needs <= searcher.capabilities:
                return
            history = completed(spec, count, seed=count)
            try:
                proposals = self._suggest(searcher, spec, history, 2)
            except Unsupported:
                return
            assert proposals == self._suggest(searcher, spec, history, 2)
            for proposal in proposals:
                space.check(proposal.assignments)

        holds()

    def _spec(self, searcher: Searcher, name: str) -> ExperimentSpec:
        spec = ZOO[name]
        if name not in self.zoo:
            pytest.skip("not in this suite's zoo")
        if not spec.needs <= searcher.capabilities:
            pytest.skip(f"needs {', '.join(sorted(spec.needs - searcher.capabilities))}")
        return _gridded(spec) if self.finite_only else spec

    def _suggest(
        self, searcher: Searcher, spec: ExperimentSpec, history: History, count: int
    ) -> list[Proposal]:
        return list(searcher.suggest(spec, history, count, np.random.default_rng(SEED)))


def _gridded(spec: ExperimentSpec) -> ExperimentSpec:
    """The experiment with grids in place of continua, and without constraints that few grid points meet."""
    countable = tuple(
        Double(
            item.name,
            grid=tuple(np.linspace(*item.bounds, GRID).tolist()),
            conditions=item.conditions,
        )
        if isinstance(item, Double) and item.grid is None
        else item
        for item in spec.space.parameters
    )
    return replace(spec, space=replace(spec.space, parameters=countable, linear_constraints=()))


def _with_open(history: History, number: int, assignments: Mapping[str, Value]) -> History:
    run = Run(number=number + 1, assignments=dict(assignments), state=State.ACTIVE)
    return History((*history.runs, run))
