"""What every run log must bring back: the part of the contract about experiments, runs and curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from heliostat.errors import Conflict, InvalidValue
from heliostat.experiment import read_experiment
from heliostat.ports import RunLog
from heliostat.space import Value
from heliostat.trial import Checkpoint, Failure, Measurement, Prediction, Run, State
from heliostat.writes import (
    ChangeExperiment,
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    RetryRun,
    StartRun,
    UpdateRun,
)

OpenLog = Callable[[], RunLog]

SPEC: dict[str, Any] = {
    "name": "contract",
    "project": "stores",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": ["accuracy"],
}
NOT_FINITE = (math.nan, math.inf, -math.inf)


def known(value: int | None) -> int:
    """The value of a reply's field that this kind of write always fills."""
    assert value is not None
    return value


class RunRecords:
    """Fixtures, and one test for each thing that is written and read back."""

    @pytest.fixture
    def open_log(self) -> OpenLog:
        """A callable that opens the same storage each time."""
        raise NotImplementedError("override the fixture open_log")

    @pytest.fixture
    def log(self, open_log: OpenLog) -> Iterator[RunLog]:
        """An open log, closed after the test."""
        log = open_log()
        yield log
        log.close()

    @pytest.fixture
    def experiment(self, log: RunLog) -> int:
        """A recorded experiment."""
        return known(log.apply(CreateExperiment(SPEC, time=1.0)).experiment)

    @pytest.fixture
    def run(self, log: RunLog, experiment: int) -> int:
        """An active run of it."""
        return known(log.apply(CreateRun(experiment, {"x": 0.5}, time=2.0)).run)

    def test_experiment_is_read_back(self, log: RunLog, experiment: int) -> None:
        """The declaration, its project and its age come back; there are no runs yet."""
        record = log.experiment(experiment)
        assert record.spec == read_experiment(SPEC)
        assert (record.id, record.created, record.epoch) == (experiment, 1.0, 0)
        assert not any(record.counts.values())

    def test_experiments_are_listed_by_project(self, log: RunLog, experiment: int) -> None:
        """Oldest first, and by project on demand."""
        other = log.apply(CreateExperiment({**SPEC, "project": "other"}, time=0.5)).experiment
        assert [record.id for record in log.experiments()] == [experiment, other]
        assert [record.id for record in log.experiments("other")] == [other]
        assert log.experiments("nobody's") == []

    def test_bad_declaration_is_refused(self, log: RunLog) -> None:
        """A declaration that cannot be read back must not get in."""
        with pytest.raises(InvalidValue):
            log.apply(CreateExperiment({**SPEC, "metrics": []}, time=1.0))
        assert log.experiments() == []

    def test_changed_experiment_keeps_its_runs(self, log: RunLog, experiment: int, run: int) -> None:
        """A new declaration replaces the old one; its runs stay with it, also in another project."""
        changed = {**SPEC, "budget": 30, "project": "elsewhere"}
        log.apply(ChangeExperiment(experiment, changed, time=3.0))
        record = log.experiment(experiment)
        assert (record.spec.budget, record.created, dict(record.counts)["active"]) == (30, 1.0, 1)
        assert [found.id for found in log.runs(project="elsewhere")] == [run]
        assert log.runs(project="stores") == []

    def test_counts_are_by_state(self, log: RunLog, experiment: int, run: int) -> None:
        """Runs are counted where they stand now."""
        log.apply(CreateRun(experiment, {"x": 0.1}, time=2.0))
        log.apply(FinishRun(run, State.FAILED, "raised", time=3.0))
        counts = log.experiment(experiment).counts
        assert {state: count for state, count in counts.items() if count} == {"active": 1, "failed": 1}

    def test_new_run_is_read_back(self, log: RunLog, experiment: int) -> None:
        """Everything it was created with, with types."""
        given: dict[str, Value] = {"x": 0.1 + 0.2, "layers": 3, "kind": "adam", "huge": 10**30}
        write = CreateRun(
            experiment, given, time=2.5, name="first", task="cheap", origin="optuna", searcher="sobol",
            why="far from others", predicted={"accuracy": Prediction(0.9, 0.01)},
            metadata={"tags": ["a", 1.5]},
        )  # fmt: skip
        reply = log.apply(write)
        assert (reply.experiment, reply.number, reply.attempt) == (experiment, 1, 1)
        expected = Run(
            id=known(reply.run), experiment=experiment, project="stores", number=1, name="first",
            assignments=given, task="cheap", origin="optuna", searcher="sobol", why="far from others",
            predicted={"accuracy": Prediction(0.9, 0.01)}, created=2.5, metadata={"tags": ["a", 1.5]},
            updated=2.5,
        )  # fmt: skip
        assert log.run(expected.id) == expected
        assert [type(value) for value in log.run(expected.id).assignments.values()] == [float, int, str, int]

    def test_run_outside_experiments(self, log: RunLog) -> None:
        """It has a project and the number 0."""
        replies = [log.apply(CreateRun(None, {"x": index}, time=1.0, project="mine")) for index in range(2)]
        found = log.runs(project="mine")
        assert [run.id for run in found] == [reply.run for reply in replies]
        assert {(run.experiment, run.number) for run in found} == {(None, 0)}

    def test_started_run(self, log: RunLog, run: int) -> None:
        """Start time and metadata."""
        reply = log.apply(StartRun(run, time=4.0, metadata={"host": "n1"}))
        found = log.run(run)
        assert (reply.attempt, found.started, found.metadata) == (1, 4.0, {"host": "n1"})
        assert found.state is State.ACTIVE

    @pytest.mark.parametrize("state", [state for state in State if state is not State.ACTIVE])
    def test_finished_run(self, log: RunLog, run: int, state: State) -> None:
        """The end with its reason, values and failure."""
        failure = Failure("user_error", "boom", "Traceback …") if state is State.FAILED else None
        values = {"accuracy": Measurement(0.9, 0.02), "loss": Measurement(1.0)}
        log.apply(FinishRun(run, state, "because", time=9.0, values=values, failure=failure))
        found = log.run(run)
        assert (found.state, found.end_reason, found.ended) == (state, "because", 9.0)
        assert (found.values, found.failure) == (values, failure)

    def test_run_ends_once(self, log: RunLog, run: int) -> None:
        """A second end is a Conflict that says how the run ended, and changes nothing."""
        log.apply(FinishRun(run, State.EARLY_STOPPED, "rung 2", time=9.0))
        before = log.run(run)
        with pytest.raises(Conflict, match="early_stopped"):
            log.apply(FinishRun(run, State.COMPLETED, "late", time=10.0))
        assert log.run(run) == before

    def test_active_is_no_end(self, log: RunLog, run: int) -> None:
        """A run cannot be finished into being active."""
        with pytest.raises(InvalidValue):
            log.apply(FinishRun(run, State.ACTIVE, "?", time=9.0))

    def test_lost_run_may_end_after_all(self, log: RunLog, run: int) -> None:
        """A result that arrives from a node thought dead counts."""
        log.apply(FinishRun(run, State.LOST, "node", time=9.0, failure=Failure("lost", "node died")))
        log.apply(FinishRun(run, State.COMPLETED, "it lived", time=10.0))
        found = log.run(run)
        assert (found.state, found.end_reason, found.failure) == (State.COMPLETED, "it lived", None)

    @pytest.mark.parametrize("is_lost", [False, True])
    def test_retry_begins_anew(self, log: RunLog, run: int, is_lost: bool) -> None:
        """The next attempt has no start, end, values, failure or curve of the earlier one."""
        log.apply(StartRun(run, time=3.0, metadata={"host": "n1"}))
        log.apply(LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}, 3.5),)))
        log.apply(UpdateRun(run, time=4.0, values={"loss": Measurement(1.0)}))
        if is_lost:
            log.apply(FinishRun(run, State.LOST, "node", time=5.0, failure=Failure("lost", "node died")))
        assert log.apply(RetryRun(run, "node died", time=6.0)).attempt == 2
        found = log.run(run)
        assert (found.state, found.attempt, found.end_reason) == (State.ACTIVE, 2, "")
        assert (found.started, found.ended, found.failure) == (None, None, None)
        assert (dict(found.values), tuple(found.curve), found.created) == ({}, (), 2.0)

    def test_ended_run_is_not_retried(self, log: RunLog, run: int) -> None:
        """Only what was lost may be tried again."""
        log.apply(FinishRun(run, State.FAILED, "raised", time=5.0))
        with pytest.raises(Conflict, match="failed"):
            log.apply(RetryRun(run, "again", time=6.0))
        assert log.run(run).attempt == 1

    def test_update_merges_also_after_the_end(self, log: RunLog, run: int) -> None:
        """New values join the old ones; ``None`` removes a metadata key; the state stays."""
        log.apply(FinishRun(run, State.COMPLETED, "done", time=5.0, values={"a": Measurement(1.0)}))
        values = {"a": Measurement(2.0), "b": Measurement(3.0, 0.1)}
        log.apply(UpdateRun(run, time=6.0, metadata={"note": "x", "tag": "y"}, name="best"))
        log.apply(UpdateRun(run, time=7.0, values=values, metadata={"note": None}))
        found = log.run(run)
        assert (dict(found.values), found.metadata, found.name) == (values, {"tag": "y"}, "best")
        assert (found.state, found.ended) == (State.COMPLETED, 5.0)

    def test_curve_is_ordered_and_upserted(self, log: RunLog, run: int) -> None:
        """Points come back by step; the same step again replaces its values."""
        late, early = Checkpoint(2, {"loss": 2.0}, 5.0), Checkpoint(1, {"loss": 1.0, "acc": 0.1}, 4.0)
        log.apply(LogCheckpoints(run, (late, early)))
        assert tuple(log.run(run).curve) == (early, late)
        again = Checkpoint(2, {"loss": 2.5}, 6.0)
        log.apply(LogCheckpoints(run, (again,)))
        assert tuple(log.run(run).curve) == (early, again)

    def test_steps_count_on_where_the_reporter_does_not_count(self, log: RunLog, run: int) -> None:
        """Also within one commit, and for a repeated write the same steps."""
        log.apply(LogCheckpoints(run, (Checkpoint(3, {"loss": 1.0}),)))
        points = (Checkpoint(1, {"loss": 0.5}), Checkpoint(2, {"loss": 0.4}))
        write = LogCheckpoints(run, points, follows=True)
        queued = [log.submit(write), log.submit(LogCheckpoints(run, points, follows=True))]
        assert [reply.result().id for reply in queued] == [5, 7]
        assert log.apply(write).id == 5
        assert [point.step for point in log.run(run).curve] == [3, 4, 5, 6, 7]

    def test_values_are_taken_away(self, log: RunLog, run: int) -> None:
        """A metric of the value None goes; others stay."""
        log.apply(UpdateRun(run, time=1.0, values={"a": Measurement(1.0), "b": Measurement(2.0)}))
        log.apply(UpdateRun(run, time=2.0, values={"a": None, "unknown": None}))
        assert log.run(run).numbers == {"b": 2.0}

    def test_curve_of_the_present_attempt_only(self, log: RunLog, run: int) -> None:
        """A retry starts an empty curve at the same steps."""
        log.apply(LogCheckpoints(run, (Checkpoint(1, {"loss": 1.0}), Checkpoint(2, {"loss": 2.0}))))
        log.apply(RetryRun(run, "node died", time=6.0))
        fresh = Checkpoint(1, {"loss": 7.0}, 8.0)
        log.apply(LogCheckpoints(run, (fresh,)))
        assert tuple(log.run(run).curve) == (fresh,)

    def test_curves_of_many_runs(self, log: RunLog, experiment: int, run: int) -> None:
        """Each run has its own; none are read unless asked for."""
        other = known(log.apply(CreateRun(experiment, {"x": 0.9}, time=3.0)).run)
        for index, id in enumerate((run, other)):
            log.apply(LogCheckpoints(id, (Checkpoint(-1, {"loss": float(index)}, 4.0),)))
        found = log.runs(experiment, curves=True)
        assert [tuple(item.curve) for item in found] == [
            (Checkpoint(-1, {"loss": 0.0}, 4.0),),
            (Checkpoint(-1, {"loss": 1.0}, 4.0),),
        ]
        assert [tuple(item.curve) for item in log.runs(experiment)] == [(), ()]

    def test_numbers_that_are_not_finite(self, open_log: OpenLog, log: RunLog, run: int) -> None:
        """NaN and both infinities survive wherever a number may stand."""
        points = tuple(Checkpoint(step, {"loss": value}) for step, value in enumerate(NOT_FINITE))
        values = {f"m{index}": Measurement(value, value) for index, value in enumerate(NOT_FINITE)}
        log.apply(LogCheckpoints(run, points))
        metadata = {"numbers": list(NOT_FINITE), "text": "NaN"}
        log.apply(UpdateRun(run, time=5.0, values=values, metadata=metadata))
        log.close()
        reopened = open_log()
        found = reopened.run(run)
        reopened.close()
        assert repr([point.values["loss"] for point in found.curve]) == repr(list(NOT_FINITE))
        assert repr(dict(found.values)) == repr(values)
        assert repr(found.metadata) == repr(metadata)
