"""The user's loop: ask, report, end; failures and interruptions end a run once."""

import pytest

import heliostat as hs
from heliostat.errors import Conflict, InvalidValue, StaleSession
from heliostat.trial import State


def bowl(log_url, **more):
    options = {"budget": 6, "searcher": "sobol", "log": log_url, **more}
    return hs.Experiment(
        "bowl",
        parameters=[hs.Double("x", -5, 5), hs.Double("y", -5, 5)],
        metrics=[hs.minimize("loss")],
        **options,
    )


def test_the_loop_runs_to_its_budget_and_everything_is_in_the_log(log_url):
    experiment = bowl(log_url)
    for run in experiment.loop():
        run.log_checkpoint({"loss": 99.0})
        run.log_metric("loss", (run["x"] - 1) ** 2 + (run.params.y + 2) ** 2, stddev=0.1)
    runs = hs.Experiment.open(experiment.id, hs.open_log(log_url)).runs()
    assert [(run.number, run.state) for run in runs] == [(number, State.COMPLETED) for number in range(1, 7)]
    assert all(run.values["loss"].stddev == 0.1 and run.curve[0].values == {"loss": 99.0} for run in runs)
    best = experiment.best()
    assert best.numbers["loss"] == min(run.numbers["loss"] for run in runs)
    assert list(experiment.loop()) == []


def test_an_exception_fails_its_run_and_the_loop_goes_on(log_url, caplog):
    experiment = bowl(log_url)
    for run in experiment.loop():
        with run:
            if run.number == 2:
                raise ZeroDivisionError("at the edge")
            run.log_metric("loss", 1.0)
    states = [run.state for run in experiment.runs()]
    assert states.count(State.FAILED) == 1
    failure = experiment.runs()[1].failure
    assert (failure.kind, failure.message) == ("user_error", "ZeroDivisionError: at the edge")
    assert "test_loop.py" in failure.traceback
    assert "run 2 failed: ZeroDivisionError: at the edge" in caplog.text


def test_stop_on_error_lets_it_out(log_url):
    experiment = bowl(log_url)
    with pytest.raises(ZeroDivisionError):
        for run in experiment.loop(stop_on_error=True):
            with run:
                raise ZeroDivisionError
    assert [run.state for run in experiment.runs()] == [State.FAILED]


def test_ctrl_c_cancels_the_run_and_the_budget_is_kept(log_url):
    experiment = bowl(log_url)
    with pytest.raises(KeyboardInterrupt):
        for run in experiment.loop():
            with run:
                raise KeyboardInterrupt
    assert [run.state for run in experiment.runs()] == [State.CANCELLED]
    for run in hs.Experiment.open(experiment.id, log_url).loop():
        run.log_metric("loss", 0.0)
    states = [run.state for run in experiment.runs()]
    assert (states.count(State.COMPLETED), states.count(State.CANCELLED)) == (6, 1)


def test_leaving_the_loop_cancels_the_open_run(log_url):
    experiment = bowl(log_url)
    for run in experiment.loop():
        if run.number == 3:
            break
        run.log_metric("loss", 0.0)
    del run
    assert [str(run.state) for run in experiment.runs()] == ["completed", "completed", "cancelled"]


def test_a_run_of_a_dead_driver_is_handed_out_again_and_the_dead_one_is_fenced_off(log_url):
    first = bowl(log_url)
    zombie = first.ask()
    zombie.log_checkpoint({"loss": 3.0})
    first.engine.flush()
    second = hs.Experiment.open(first.id, log_url)
    loop = second.loop()  # held: a loop that is let go cancels its open run
    again = next(loop)
    assert (again.id, again.params) == (zombie.id, zombie.params)
    zombie.log_metric("loss", 1.0)
    with pytest.raises(StaleSession):
        zombie.end()
    again.log_metric("loss", 2.0)
    ended = again.end()
    assert (ended.attempt, ended.numbers) == (2, {"loss": 2.0})
    assert second.log.run(ended.id).curve == ()


def test_ask_and_tell(log_url):
    experiment = bowl(log_url, budget=2)
    run, other = experiment.ask(), experiment.ask()
    assert run.params != other.params
    assert experiment.tell(run, {"loss": 1.5}).state is State.COMPLETED
    assert experiment.tell(other, failed=True).failure.kind == "user_error"
    with pytest.raises(Conflict, match="a run ends once"):
        run.log_metric("loss", 3.0)
    with pytest.raises(InvalidValue, match="the budget is spent"):
        experiment.ask()


def test_runs_made_elsewhere_count_and_may_lie_outside_the_bounds(log_url):
    experiment = bowl(log_url)
    added = experiment.add({"x": 7.0, "y": 0.0}, {"loss": 3.0})
    assert (added.origin, added.state, added.searcher) == ("user", State.COMPLETED, "")
    assert experiment.engine.remaining == 5


def test_suggestions_are_a_function_of_declaration_history_and_seed(log_url, tmp_path):
    def points(url, seed):
        experiment = bowl(url, searcher="bayesian", seed=seed, budget=8)
        for run in experiment.loop():
            run.log_metric("loss", (run["x"] - 1) ** 2 + (run["y"] + 2) ** 2)
        return [dict(run.assignments) for run in experiment.runs()]

    first = points(log_url, 1)
    assert points(str(tmp_path / "again.db"), 1) == first
    assert points(str(tmp_path / "other.db"), 2) != first


def test_a_loop_without_any_budget_is_refused(log_url):
    with pytest.raises(InvalidValue, match=r"a loop needs a budget.*loop\(budget=30\)"):
        next(bowl(log_url, budget=None).loop())


def test_a_run_prints_in_one_line(log_url):
    experiment = bowl(log_url, budget=1)
    for run in experiment.loop():
        run.log_metric("loss", 0.123456)
    x, y = experiment.best().assignments.values()
    assert str(experiment.best()) == f"run 1 (completed): loss 0.1235 with x={x!r}, y={y!r}"


def test_parameters_beside_the_declared_ones_stay_in_the_log_and_out_of_the_search(log_url):
    experiment = bowl(log_url, searcher="bayesian", budget=3)
    for run in experiment.loop():
        run.params.workers = 4
        run.log_metric("loss", run["x"] ** 2)
    assert all(run.assignments["workers"] == 4 for run in experiment.runs())
    again = hs.Experiment.open(experiment.id, hs.open_log(log_url))
    assert [set(run.assignments) for run in again.engine.history.runs] == [{"x", "y"}] * 3


def test_a_curve_that_grows_leaves_earlier_snapshots_as_they_were(log_url):
    experiment = bowl(log_url, budget=1)
    for run in experiment.loop():
        run.log_checkpoint({"loss": 2.0})
        before = experiment.engine.history.runs[0]
        run.log_checkpoint({"loss": 1.0})
        run.log_metric("loss", 1.0)
    assert [len(item.curve) for item in (before, *experiment.runs())] == [1, 2]


def test_leaving_the_loop_keeps_a_run_that_has_reported_all(log_url):
    experiment = bowl(log_url)
    for run in experiment.loop():
        run.log_metric("loss", 0.5)
        if run.number == 2:
            break
    del run
    assert [str(run.state) for run in experiment.runs()] == ["completed", "completed"]
    assert experiment.best().numbers == {"loss": 0.5}


def test_a_checkpoint_is_no_result(log_url):
    experiment = bowl(log_url)
    for run in experiment.loop():
        run.log_checkpoint({"loss": 5.0})
        break
    del run
    assert [run.state for run in experiment.runs()] == [State.CANCELLED]
    assert experiment.best() is None


def test_with_nothing_to_optimize_there_is_no_best_run(log_url):
    experiment = bowl(log_url, searcher="bayesian")
    for run in experiment.loop(budget=4):
        run.log_metric("loss", run["x"])
    experiment.update(metrics=[hs.guardrail("loss <= 9")])
    assert experiment.best() is None
    assert experiment.recommended() is None
    assert len(experiment.best_runs()) == 4


@pytest.mark.parametrize("values", [0.3, [0.3], "0.3"])
def test_values_that_are_none_leave_no_run_behind(log_url, values):
    experiment = bowl(log_url)
    with pytest.raises(InvalidValue, match="values: must be a mapping"):
        experiment.add({"x": 0.0, "y": 0.0}, values)
    assert experiment.runs() == []
    with pytest.raises(InvalidValue, match=r"must be what ask\(\), create_run\(\) or loop\(\) gave"):
        experiment.tell(1, {"loss": 0.3})


def test_asking_says_whether_the_budget_or_the_space_has_ended(log_url):
    one = hs.Experiment(
        "one", parameters=[hs.Int("n", 1, 2)], metrics=[hs.minimize("loss")], searcher="grid", log=log_url
    )
    for _ in range(2):
        one.tell(one.ask(), {"loss": 1.0})
    with pytest.raises(InvalidValue, match="every point of the space"):
        one.ask()
    spent = bowl(log_url, budget=1)
    spent.tell(spent.ask(), {"loss": 1.0})
    with pytest.raises(InvalidValue, match="the budget is spent"):
        spent.ask()


def test_a_failure_names_the_metric_that_was_meant(log_url):
    experiment = bowl(log_url)
    first, second = experiment.ask(), experiment.ask()
    assert (
        experiment.tell(first, {"Loss": 1.0}).failure.message
        == "metric 'loss' was never reported; 'Loss' was"
    )
    second.log_metric("loss", 1.0, -2.0)
    assert (
        "metric 'loss' needs a standard error of 0 or more, got (1.0, -2.0)" in second.end().failure.message
    )
