"""What every adapter of another optimizer must do, as a pytest class.

An adapter passes if this runs green::

    class TestMyOptimizer(AdapterContract):
        origin, searcher = "mine", "MySearch"

        def search(self, tracked, during):
            study = tracked(my_optimizer.Study(seed=1))
            ...
            return Account(...)

``tracked`` is the adapter's ``track`` with a log, or nothing at all: the library must not notice which.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from heliostat.experiment import read_experiment
from heliostat.ports import RunLog
from heliostat.registry import ADAPTERS, load, open_log
from heliostat.trial import Run, State
from heliostat.writes import CreateExperiment

PROJECT = "adapters"
TRIALS = 6
FAILING = 2
"""The trial whose objective raises ``ValueError(REASON)``."""
REASON = "no such <b>layer</b>"
DEADLINE = 20.0

Tracked = Callable[[Any], Any]
During = Callable[[int], None]


@dataclass(frozen=True)
class Told:
    """What the library itself says of one trial.

    Args:
        params: As the run's assignments must be.
        values: As the run's values must be; ``None`` where the library keeps none.
        state: As the run's state must be.
    """

    params: Mapping[str, Any]
    values: Mapping[str, float]
    state: State


@dataclass(frozen=True)
class Account:
    """What the library itself says of a search.

    Args:
        trials: In order.
        best: Whatever the library calls best, comparable.
    """

    trials: tuple[Told, ...]
    best: Any = field(default=None)


class AdapterContract:
    """Rules of adapters; subclasses set the names and override :meth:`search`."""

    adapter: ClassVar[str]
    origin: ClassVar[str]
    searcher: ClassVar[str]

    def search(self, tracked: Tracked, during: During) -> Account:
        """Run a search, seeded, of :data:`TRIALS` trials over ``x`` in [0, 1] that reports ``loss``.

        Args:
            tracked: To be applied as a user applies ``heliostat.track``.
            during: To be called in each evaluation with the trial's place, from 0; trial :data:`FAILING`
                then raises.
        """
        raise NotImplementedError

    @pytest.fixture
    def log(self, tmp_path: Path) -> RunLog:
        """An empty log."""
        return open_log(tmp_path / "runs.db")

    def track(self, log: RunLog, **more: Any) -> Tracked:
        """The adapter with a log."""
        function = load(ADAPTERS, self.adapter)
        options = {"project": PROJECT, "experiment": None, "name": None, **more}
        return lambda item: function(item, log, **options)

    def test_every_trial_is_a_run_with_its_end(self, log: RunLog) -> None:
        """Parameters, values and states are those that the library tells."""
        account = self.search(self.track(log), _nothing)
        runs = settled(log, TRIALS)
        assert len(runs) == len(account.trials) == TRIALS
        for run, told in zip(runs, account.trials, strict=True):
            assert (run.state, dict(run.assignments)) == (told.state, dict(told.params))
            assert run.numbers == pytest.approx(dict(told.values))

    def test_failures_are_failed_with_their_reason(self, log: RunLog) -> None:
        """The failure holds the exception's text."""
        self.search(self.track(log), _nothing)
        failed = settled(log, TRIALS)[FAILING]
        assert failed.state is State.FAILED
        assert failed.failure is not None
        assert failed.failure.kind == "user_error"
        assert failed.failure.message == f"ValueError: {REASON}"
        assert "Traceback" in failed.failure.traceback

    def test_all_origins_show_the_same_columns(self, log: RunLog) -> None:
        """Who proposed it, how, in which study, when it began and ended."""
        self.search(self.track(log, name="mine"), _nothing)
        for number, run in enumerate(settled(log, TRIALS)):
            assert (run.origin, run.searcher, run.project) == (self.origin, self.searcher, PROJECT)
            assert run.metadata["study"] == "mine"
            assert run.metadata["trial"] == number
            assert run.name == f"mine {number}"
            assert run.started is not None
            assert run.ended is not None
            assert run.created <= run.started <= run.ended

    def test_the_search_is_what_it_would_have_been(self, log: RunLog) -> None:
        """Tracking changes neither what is tried nor what is found."""
        assert self.search(self.track(log), _nothing) == self.search(lambda item: item, _nothing)

    def test_runs_appear_while_the_search_goes_on(self, log: RunLog) -> None:
        """In the middle of trial n, n runs have ended and one is open."""

        def during(place: int) -> None:
            runs = settled(log, place, is_over=False)
            assert [run.state.is_open for run in runs] == [False] * place + [True]
            assert runs[place].started is not None

        self.search(self.track(log), during)

    def test_each_search_makes_runs_of_its_own(self, log: RunLog) -> None:
        """Also under the same name: a script that is run again is another study."""
        for _ in range(2):
            self.search(self.track(log, name="mine"), _nothing)
        assert len(settled(log, 2 * TRIALS)) == 2 * TRIALS

    def test_tracking_again_adds_nothing(self, log: RunLog) -> None:
        """A study that is tracked already is not recorded twice."""
        once = self.track(log)
        self.search(lambda item: once(once(item)), _nothing)
        assert len(settled(log, TRIALS)) == TRIALS

    def test_runs_join_an_experiment_that_they_fit(self, log: RunLog) -> None:
        """They get numbers there and are judged by its metrics; runs that do not fit go beside it."""
        inside, beside = ({"min": 0, "max": 1}, TRIALS), ({"min": 7, "max": 9}, 0)
        for ended, (bounds, fitting) in enumerate((inside, beside), 1):
            experiment = log.apply(CreateExperiment(_spec(bounds), time=1.0)).experiment
            self.search(self.track(log, experiment=experiment), _nothing)
            settled(log, ended * TRIALS)
            assert [run.number for run in log.runs(experiment)] == list(range(1, fitting + 1))

    @pytest.mark.parametrize("broken_at", [0, 2])
    def test_a_broken_log_never_reaches_the_host(
        self, log: RunLog, broken_at: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The search is the same, and one warning tells of all faults."""

        def during(place: int) -> None:
            if place == broken_at:
                log.close()

        with caplog.at_level(logging.WARNING, logger="heliostat"):
            account = self.search(self.track(log), during)
        assert account == self.search(lambda item: item, _nothing)
        assert [record.levelname for record in caplog.records if record.name == "heliostat"] == ["WARNING"]


def settled(log: RunLog, ended: int, *, is_over: bool = True, deadline: float = DEADLINE) -> list[Run]:
    """The project's runs as soon as so many have ended; of a search that is not over, one more has begun.

    Args:
        log: The log.
        ended: How many ends are awaited.
        is_over: Whether no further run is awaited.
        deadline: Seconds after which the test fails.
    """
    end = time.monotonic() + deadline
    while True:
        runs = log.runs(project=PROJECT, curves=True)
        count = sum(not run.state.is_open for run in runs)
        is_begun = len(runs) > ended and runs[-1].started is not None
        if count == ended and (is_begun or is_over):
            return runs
        if time.monotonic() > end:
            pytest.fail(f"{count} of {ended} runs have ended: {[str(run) for run in runs]}")
        time.sleep(0.01)  # another thread writes; there is nothing to wait on


def _spec(bounds: Mapping[str, float]) -> dict[str, Any]:
    parameter = {"name": "x", "type": "double", "bounds": dict(bounds)}
    metric = {"name": "loss", "objective": "minimize"}
    declared = {"name": "bowl", "parameters": [parameter], "metrics": [metric], "project": PROJECT}
    return read_experiment(declared).to_dict()


def _nothing(place: int) -> None:
    pass
