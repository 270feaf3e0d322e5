"""The user's own points: queued, handed out once and first, deleted; runs corrected and deleted later."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli.main import main
from heliostat.errors import Conflict, InvalidValue, NotFound, StaleSession
from heliostat.trial import State


def bowl(log_url, **more):
    options = {"budget": 6, "searcher": "sobol", "log": log_url, **more}
    return hs.Experiment("bowl", parameters=[hs.Double("x", -5, 5)], metrics=[hs.minimize("loss")], **options)


def points(experiment):
    return [run.assignments["x"] for run in experiment.runs()]


def test_queued_points_come_first_in_their_order_and_count_in_the_budget(log_url):
    experiment = bowl(log_url, budget=4)
    experiment.queue({"x": 1.0}, why="from the paper")
    experiment.queue({"x": 2.0})
    for run in experiment.loop():
        run.log_metric("loss", run["x"] ** 2)
    runs = experiment.runs()
    assert points(experiment)[:2] == [1.0, 2.0]
    assert [run.origin for run in runs] == ["user", "user", "heliostat", "heliostat"]
    assert (runs[0].why, runs[1].why, runs[0].searcher) == ("from the paper", "queued by the user", "")
    assert experiment.queued() == []


def test_a_point_queued_while_the_loop_runs_is_the_next(log_url):
    experiment = bowl(log_url, budget=3)
    elsewhere = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    for run in experiment.loop():
        if run.number == 1:
            elsewhere.queue({"x": 4.5})
        run.log_metric("loss", 0.0)
    assert points(experiment)[1] == 4.5


def test_the_queue_is_listed_and_points_are_taken_out(log_url):
    experiment = bowl(log_url)
    first, second = (experiment.queue({"x": x}) for x in (1.0, 2.0))
    assert [(item.id, item.assignments) for item in experiment.queued()] == [
        (first, {"x": 1.0}),
        (second, {"x": 2.0}),
    ]
    experiment.unqueue(first)
    assert [item.id for item in experiment.queued()] == [second]
    with pytest.raises(NotFound, match="no such point waits"):
        experiment.unqueue(first)
    assert experiment.ask()["x"] == 2.0
    with pytest.raises(NotFound, match="no such point waits"):
        experiment.unqueue(second)


def test_illegal_points_are_refused_when_they_are_queued(log_url):
    experiment = bowl(log_url)
    for wrong in ({"x": 7.0}, {}, {"x": 1.0, "y": 2.0}):
        with pytest.raises(InvalidValue):
            experiment.queue(wrong)
    with pytest.raises(InvalidValue, match="no task of the experiment"):
        experiment.queue({"x": 1.0}, task="cheap")
    assert experiment.queued() == []


def test_each_point_is_handed_out_once_whoever_takes_over(log_url):
    first = bowl(log_url, budget=20)
    for x in range(4):
        first.queue({"x": float(x)})
    assert [first.ask()["x"] for _ in range(2)] == [0.0, 1.0]
    second = hs.Experiment.open(first.id, hs.open_log(log_url))
    assert second.ask()["x"] == 2.0
    with pytest.raises(StaleSession):
        first.ask()
    assert second.ask()["x"] == 3.0
    assert len(second.queued()) == 0


def test_a_killed_driver_loses_no_queued_point_and_repeats_none(log_url):
    experiment = bowl(log_url, budget=20)
    for x in range(3):
        experiment.queue({"x": float(x)})
    code = (
        "import os, sys, heliostat as hs\n"
        "experiment = hs.Experiment.open(int(sys.argv[2]), hs.open_log(sys.argv[1]))\n"
        "print(experiment.ask()['x'], flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for expected in ("0.0", "1.0"):
        done = subprocess.run(
            [sys.executable, "-c", code, log_url, str(experiment.id)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == expected, done.stderr
    runs = {run["x"] for run in experiment.loop(budget=3) if run.log_metrics(loss=0.0) is None}
    assert runs == {0.0, 1.0, 2.0}
    assert sorted(points(experiment)) == [0.0, 1.0, 2.0]


def test_corrected_values_are_learned_from_at_once_and_by_the_successor(log_url):
    experiment = bowl(log_url)
    run = experiment.ask()
    experiment.tell(run, {"loss": 1.0})
    other = hs.Experiment.open(experiment.id, hs.open_log(log_url))  # opens no session
    fixed = other.update_run(run.id, {"loss": (3.0, 0.5)})
    assert (fixed.state, fixed.values["loss"].value, fixed.values["loss"].stddev) == (
        State.COMPLETED,
        3.0,
        0.5,
    )
    experiment.ask()
    assert experiment.engine.history.runs[0].numbers == {"loss": 3.0}
    again = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    assert again.engine.history.runs[0].numbers == {"loss": 3.0}


def test_a_run_may_turn_out_to_have_failed_or_not_to_have(log_url):
    experiment = bowl(log_url)
    good, bad = experiment.ask(), experiment.ask()
    experiment.tell(good, {"loss": 1.0})
    bad.end()  # without a value
    assert experiment.update_run(good.id, failed=True).failure.kind == "user_error"
    assert experiment.update_run(bad.id, {"loss": 2.0}).state is State.COMPLETED
    assert experiment.update_run(good.id, failed=False).state is State.COMPLETED
    assert experiment.update_run(bad.id, {"loss": float("nan")}).failure.kind == "nan"
    experiment.engine.refresh()
    assert [run.number for run in experiment.engine.history.completed] == [1]
    assert experiment.best().number == 1


def test_what_cannot_be_corrected(log_url):
    experiment, stranger = bowl(log_url), bowl(log_url)
    run = experiment.ask()
    with pytest.raises(Conflict, match="is active"):
        experiment.update_run(run.id, {"loss": 1.0})
    experiment.tell(run, {"loss": 1.0})
    with pytest.raises(InvalidValue, match="say what to correct"):
        experiment.update_run(run.id)
    with pytest.raises(InvalidValue, match="loss"):
        experiment.update_run(run.id, {"loss": "low"})
    with pytest.raises(NotFound, match="no such run"):
        stranger.update_run(run.id, {"loss": 1.0})
    assert experiment.runs()[0].numbers == {"loss": 1.0}


def test_a_deleted_run_is_forgotten_and_frees_its_part_of_the_budget(log_url):
    experiment = bowl(log_url, budget=2)
    for run in experiment.loop():
        run.log_metric("loss", run.number)
    assert experiment.is_finished()
    first = experiment.best()
    experiment.delete_run(first)
    assert experiment.best().number == 2
    assert not experiment.is_finished()
    for run in experiment.loop():
        run.log_metric("loss", 9.0)
    assert [run.number for run in experiment.engine.history.runs] == [2, 3]
    again = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    assert [run.number for run in again.engine.history.runs] == [2, 3]
    hs.unarchive_run(first.id, log=log_url)
    again.engine.refresh()
    assert [run.number for run in again.engine.history.runs] == [1, 2, 3]
    assert again.best().number == 1


def test_an_open_run_that_is_deleted_is_not_pending_and_not_handed_out_again(log_url):
    experiment = bowl(log_url, budget=2)
    lost = experiment.ask()
    experiment.delete_run(lost.id)
    second = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    assert second.engine.history.open == []
    numbers = [run.number for run in second.loop() if run.log_metrics(loss=0.0) is None]
    assert numbers == [2, 3]


def test_runs_that_others_log_into_the_experiment_are_learned_from(log_url):
    from heliostat.trial import Measurement
    from heliostat.writes import CreateRun, FinishRun

    experiment = bowl(log_url)
    experiment.tell(experiment.ask(), {"loss": 1.0})
    log = hs.open_log(log_url)
    made = log.apply(CreateRun(experiment.id, {"x": 0.25}, time=1.0, origin="optuna"))
    experiment.engine.refresh()
    assert [run.state for run in experiment.engine.history.runs] == [State.COMPLETED, State.ACTIVE]
    log.apply(FinishRun(made.run, State.COMPLETED, "ok", time=2.0, values={"loss": Measurement(0.5)}))
    experiment.ask()
    assert experiment.engine.history.runs[1].numbers == {"loss": 0.5}


def test_the_command_line_queues_lists_and_deletes(log_url):
    experiment = bowl(log_url)

    def told(*words):
        return CliRunner().invoke(main, ["queue", str(experiment.id), *words, "--log", log_url])

    assert told().output == "nothing is queued\n"
    assert "1  1.5  mine" in told("x=1.5", "--why", "mine").output
    (waiting,) = json.loads(told("--json").output)["data"]
    assert (waiting["id"], waiting["assignments"], waiting["origin"]) == ("1", {"x": 1.5}, "user")
    for wrong, words in (
        ("x=9", "must lie in"),
        ("y=1", "name of x"),
        ("x=a", "number"),
        ("x", "NAME=VALUE"),
    ):
        refused = told(wrong)
        assert (refused.exit_code, words in refused.output) == (2, True), refused.output
    assert told("--delete", "1").output == "nothing is queued\n"
    assert told("--delete", "1").exit_code == 2
