"""Stewards: suggestions that many ask for at once, handed out once, whoever dies meanwhile."""

import asyncio
import os
import signal
import threading
import time
from dataclasses import replace

import pytest

import heliostat as hs
from heliostat.engine import Engine, question_of
from heliostat.errors import Conflict, InvalidValue, NotFound
from heliostat.registry import make_searcher, open_log
from heliostat.steering import Ask, Ending, LocalStewards, Steward, end, stewards_of
from heliostat.trial import State
from heliostat.writes import CorrectRun

SPACE = {
    "parameters": [hs.Double("x", 0, 1), hs.Double("y", 0, 1)],
    "metrics": [hs.minimize("loss")],
}


@pytest.fixture
def log(log_url):
    log = open_log(log_url)
    yield log
    log.close()


@pytest.fixture
def stewards(log):
    stewards = LocalStewards(log)
    yield stewards
    stewards.close()


def declare(log, **fields):
    return hs.Experiment("shared", log=log, **{**SPACE, "searcher": "sobol", **fields}).id


def told(log, run, loss=1.0, **more):
    return end(log, run.id, Ending({"loss": loss}, **more))


def test_hundreds_who_ask_at_once_get_a_point_each_and_no_more_than_the_budget(log, stewards):
    id, got = declare(log, budget=150), []

    def work():
        while runs := stewards.ask_and_wait(id, Ask()).runs:
            got.append(runs[0])
            told(log, runs[0])

    threads = [threading.Thread(target=work) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len({run.id for run in got}) == len({run.assignments["x"] for run in got}) == 150
    assert {run.state for run in log.runs(id)} == {State.COMPLETED}


class Slow:
    """A searcher that thinks until it is told to go on."""

    capabilities = frozenset()

    def __init__(self):
        self.thinking, self.go_on = threading.Event(), threading.Event()

    def suggest(self, spec, history, count, rng):
        self.thinking.set()
        assert self.go_on.wait(60)
        return make_searcher("random").suggest(spec, history, count, rng)


def test_those_who_wait_are_answered_by_one_question(log):
    id, slow = declare(log, budget=20), Slow()
    steward = Steward(log, id, make_searcher=lambda name: slow)
    first = steward.ask(Ask())
    assert slow.thinking.wait(60)
    rest = [steward.ask(Ask()) for _ in range(7)]
    slow.go_on.set()
    runs = [future.result(60).runs[0] for future in (first, *rest)]
    assert [run.sys_metadata["history"]["count"] for run in runs] == [1] + [7] * 7
    steward.close()


def test_an_asking_that_waits_twice_gets_its_runs_once(log):
    """A client that was not answered in time asks again while its first asking still waits."""
    id, slow = declare(log, budget=20), Slow()
    steward = Steward(log, id, make_searcher=lambda _: slow)
    busy = steward.ask(Ask())
    assert slow.thinking.wait(60)
    twice = [steward.ask(Ask(2, key="again")) for _ in range(2)]
    another, other = steward.ask(Ask()), steward.ask(Ask(3, key="again"))
    slow.go_on.set()
    first, second = ([run.id for run in future.result(60).runs] for future in twice)
    assert first == second
    assert len({*first, *(run.id for future in (busy, another) for run in future.result(60).runs)}) == 4
    with pytest.raises(Conflict, match="belongs to another asking"):
        other.result(60)
    steward.close()
    assert len(log.runs(id)) == 4


def test_who_gives_up_before_the_answer_gets_no_run(log):
    id, slow = declare(log, budget=9), Slow()
    steward = Steward(log, id, make_searcher=lambda name: slow)
    first = steward.ask(Ask())
    assert slow.thinking.wait(60)
    impatient, patient = steward.ask(Ask()), steward.ask(Ask())
    assert impatient.cancel()
    assert not first.cancel()
    slow.go_on.set()
    assert first.result().runs[0].id != patient.result().runs[0].id
    steward.close()
    assert len(log.runs(id)) == 2


def test_the_same_asking_gets_the_same_runs_also_from_a_successor(log, stewards):
    id, ask = declare(log, budget=9), Ask(3, key="worker 1")
    first = stewards.ask_and_wait(id, ask)
    assert [run.id for run in stewards.ask_and_wait(id, ask).runs] == [run.id for run in first.runs]
    told(log, first.runs[0])
    successor = LocalStewards(log)
    again = successor.ask_and_wait(id, ask)
    assert [run.id for run in again.runs] == [run.id for run in first.runs]
    with pytest.raises(Conflict, match="another asking"):
        successor.ask_and_wait(id, replace(ask, count=2))
    successor.close()
    assert len(log.runs(id)) == 3


def test_a_steward_that_was_replaced_takes_the_experiment_back(log, stewards):
    id = declare(log, budget=9)
    stewards.ask_and_wait(id, Ask())
    Engine(log, id)
    assert stewards.ask_and_wait(id, Ask()).runs[0].number == 2
    assert log.experiment(id).epoch == 3


def test_what_others_report_is_known_to_the_next_suggestion(log, stewards):
    id = declare(log, budget=30, searcher="bayesian")
    for place in range(8):
        run = stewards.ask_and_wait(id, Ask()).runs[0]
        told(log, run, loss=(run.assignments["x"] - 0.3) ** 2)
        if place == 5:
            stewards.nudge(id)
    asked = stewards.ask_and_wait(id, Ask()).runs[0]
    question = question_of(log, log.run(asked.id))
    assert len(question.history.completed) == 8
    assert question.history.runs[0].numbers == log.runs(id)[0].numbers


def test_own_points_come_as_they_are_and_bad_ones_do_not_hurt_others(log, stewards):
    id = declare(log, budget=5)
    own = stewards.ask_and_wait(id, Ask(assignments={"x": 2.0, "y": 0.5}, name="mine", user="ada")).runs[0]
    assert (own.assignments, own.origin, own.name, own.user) == ({"x": 2.0, "y": 0.5}, "user", "mine", "ada")
    with pytest.raises(InvalidValue):
        stewards.ask_and_wait(id, Ask(assignments={"x": "a"}))
    assert stewards.ask_and_wait(id, Ask()).runs
    with pytest.raises(NotFound):
        stewards.ask_and_wait(id + 1, Ask())


def test_the_end_of_the_budget_is_said_and_may_be_ignored(log, stewards):
    id = declare(log, budget=2)
    answer = stewards.ask_and_wait(id, Ask(3))
    assert (len(answer.runs), answer.is_over, answer.reason) == (2, True, "the budget is used up")
    assert len(stewards.ask_and_wait(id, Ask(3, beyond_budget=True)).runs) == 3


def test_without_a_lease_a_silent_run_stays_whose_it_is(log, stewards):
    id = declare(log, budget=2)
    silent = stewards.ask_and_wait(id, Ask()).runs[0]
    other = stewards.ask_and_wait(id, Ask()).runs[0]
    assert other.id != silent.id
    assert not stewards.ask_and_wait(id, Ask()).runs


def test_a_lease_that_is_over_hands_the_run_on_and_refuses_the_late_report(log, log_url):
    now = [time.time()]
    id = declare(log, budget=5)
    steward = Steward(log, id, clock=lambda: now[0])
    lost = steward.ask(Ask(lease=60)).result().runs[0]
    now[0] += 59
    assert steward.ask(Ask()).result().runs[0].id != lost.id
    now[0] += 2
    again = steward.ask(Ask(key="second")).result().runs[0]
    assert (again.id, again.attempt, again.assignments) == (lost.id, 2, lost.assignments)
    with pytest.raises(Conflict, match="another attempt"):
        told(log, lost, attempt=1)
    assert told(log, again, attempt=2).state is State.COMPLETED
    assert steward.ask(Ask(key="second")).result().runs[0].id == again.id
    steward.close()


def test_a_repeated_end_is_the_same_end(log, stewards):
    id = declare(log, budget=5)
    run = stewards.ask_and_wait(id, Ask()).runs[0]
    assert told(log, run, 0.5) == told(log, run, 0.5)
    with pytest.raises(Conflict, match="ends once"):
        told(log, run, 0.6)
    failed = stewards.ask_and_wait(id, Ask()).runs[0]
    assert end(log, failed.id, Ending({})).failure.kind == "missing_metric"


def test_corrections_and_archived_runs_reach_the_steward(log, stewards):
    id = declare(log, budget=2)
    first = stewards.ask_and_wait(id, Ask(2)).runs[0]
    told(log, first)
    log.apply(CorrectRun(first.id, State.CANCELLED, "not wanted", time=time.time()))
    assert len(stewards.ask_and_wait(id, Ask()).runs) == 1


@pytest.mark.ray
def test_an_actor_that_is_killed_comes_back_and_loses_nothing(ray_cluster, log):
    stewards = stewards_of(log)
    id, ask = declare(log, budget=12, searcher="bayesian"), Ask(key="before")
    first = stewards.ask_and_wait(id, ask).runs[0]
    for _ in range(4):
        told(log, stewards.ask_and_wait(id, Ask()).runs[0])
    actor = stewards._actor(id)
    os.kill(ray_cluster.get(actor.process.remote()), signal.SIGKILL)
    assert stewards.ask_and_wait(id, ask).runs[0].id == first.id
    rest = [run.id for _ in range(7) for run in stewards.ask_and_wait(id, Ask()).runs]
    assert len(set(rest)) == 7
    assert not stewards.ask_and_wait(id, Ask()).runs
    assert len(log.runs(id)) == 12
    ray_cluster.kill(actor)


@pytest.mark.ray
def test_an_actor_that_is_killed_before_every_call_suggests_what_one_that_lives_does(ray_cluster, log):
    stewards = stewards_of(log)
    histories = {}
    for kills in (False, True):
        id, given = declare(log, budget=9, searcher="bayesian", seed=4), []
        for turn in range(9):
            if kills and turn:
                os.kill(ray_cluster.get(stewards._actor(id).process.remote()), signal.SIGKILL)
            run = stewards.ask_and_wait(id, Ask(key=f"{kills}, {turn}")).runs[0]
            told(log, run, (run.assignments["x"] - 0.3) ** 2 + run.assignments["y"])
            given.append(dict(run.assignments))
        histories[kills] = given
        ray_cluster.kill(stewards._actor(id))
    assert histories[True] == histories[False]
    assert len({tuple(values.values()) for values in histories[True]}) == 9


@pytest.mark.ray
def test_an_actor_that_nobody_asks_goes_away_and_the_next_call_makes_another(ray_cluster, log):
    from heliostat.steering.cluster import ClusterStewards

    stewards = ClusterStewards(log, idle=0.2)
    id = declare(log, budget=4)
    stewards.ask_and_wait(id, Ask())
    deadline = time.monotonic() + 60
    while asyncio.run(stewards.status(id)) is not None:
        assert time.monotonic() < deadline
    assert stewards.ask_and_wait(id, Ask()).runs[0].number == 2
    assert log.experiment(id).epoch >= 2  # each actor opens a session; a slow machine may need a third
