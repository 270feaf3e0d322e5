"""Several processes share one experiment: one steers it, others join it."""

import subprocess
import sys
import threading

import heliostat as hs
from heliostat.trial import State


def shared(log, **more):
    return hs.Experiment(
        "shared",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss")],
        searcher="sobol",
        log=log,
        **more,
    )


def test_a_guest_takes_nothing_over_and_learns_what_others_do(log_url):
    owner = shared(log_url, budget=4)
    first = owner.ask()
    guest = hs.Experiment.join(owner.id, hs.open_log(log_url))
    second = guest.ask()
    assert second.number == 2
    assert second["x"] != first["x"]
    owner.tell(first, {"loss": 1.0})
    guest.tell(second, {"loss": 2.0})
    third = owner.ask()
    assert [run.state for run in owner.engine.history.runs] == [
        State.COMPLETED,
        State.COMPLETED,
        State.ACTIVE,
    ]
    fourth = guest.ask()
    assert [run.numbers.get("loss") for run in guest.engine.history.runs] == [1.0, 2.0, None, None]
    assert (third.number, fourth.number, guest.engine.remaining) == (3, 4, 0)
    owner.tell(third, {"loss": 3.0})
    guest.tell(fourth, {"loss": 4.0})
    assert {run.state for run in owner.runs()} == {State.COMPLETED}


def test_what_a_guest_is_at_is_not_tried_again_by_the_next_owner(log_url):
    owner = shared(log_url, budget=4)
    mine = owner.ask()
    theirs = hs.Experiment.join(owner.id, hs.open_log(log_url)).ask()
    successor = hs.Experiment.open(owner.id, hs.open_log(log_url))
    assert list(successor.engine.waiting) == [mine.id]
    assert theirs.id in [run.id for run in successor.engine.history.open]


def test_together_they_keep_to_the_budget(log_url):
    owner = shared(log_url, budget=40)
    doors = [owner, *(hs.Experiment.join(owner.id, hs.open_log(log_url)) for _ in range(3))]

    def work(door):
        while runs := door.engine.suggest(1):
            door.engine.observe(runs[0].id, {"loss": runs[0].assignments["x"]})
            door.engine.finish(runs[0].id, hs.outcome.judge(door.engine.spec.metrics, {"loss": 1.0}))

    threads = [threading.Thread(target=work, args=(door,)) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = owner.runs()
    assert [run.number for run in runs] == list(range(1, 41))
    assert len({run.assignments["x"] for run in runs}) == 40


def test_another_process_joins_a_loop_that_runs(log_url):
    owner = shared(log_url, budget=6)
    code = (
        "import heliostat as hs, sys\n"
        f"door = hs.Experiment.join({owner.id}, sys.argv[1])\n"
        "for _ in range(3):\n"
        "    run = door.ask()\n"
        "    door.tell(run, {'loss': run['x']})\n"
    )
    for number, run in enumerate(owner.loop()):
        run.log_metric("loss", run["x"])
        if number == 0:
            subprocess.run([sys.executable, "-c", code, log_url], check=True)
    assert [run.number for run in owner.runs()] == [1, 2, 3, 4, 5, 6]
    assert {run.state for run in owner.runs()} == {State.COMPLETED}


def test_what_a_killed_guest_left_is_tried_again_by_whoever_comes_next(log_url):
    owner = shared(log_url, budget=4)
    code = f"import heliostat as hs, sys, os; hs.Experiment.join({owner.id}, sys.argv[1]).ask(); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, log_url], check=False)
    (left,) = owner.runs()
    assert left.state is State.ACTIVE
    door = hs.Experiment.join(owner.id, hs.open_log(log_url))
    again = door.engine.next_waiting()
    assert (again.id, again.attempt) == (left.id, 2)
    door.engine.finish(again.id, hs.outcome.judge(door.spec.metrics, {"loss": 1.0}), wait=True)
    assert [(run.number, run.state) for run in owner.runs()] == [(1, State.COMPLETED)]
