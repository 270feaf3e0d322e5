"""Proposals made ahead of need: fresh enough, never twice, and reproducible from the log."""

import threading
import time

import numpy as np
import pytest

import heliostat as hs
from heliostat.engine import question_of
from heliostat.errors import InvalidValue
from heliostat.trial import Proposal


class Slow:
    """Answers at random by its generator; remembers how many ended runs it was told of, and may be held."""

    capabilities = frozenset()

    def __init__(self):
        self.asked = []
        self.threads = set()
        self.gate = threading.Event()
        self.gate.set()

    def suggest(self, spec, history, count, rng):
        assert self.gate.wait(60)
        self.asked.append(len(history.completed))
        self.threads.add(threading.current_thread().name)
        shift = sum(run.numbers["loss"] for run in history.completed)
        return [Proposal({"x": float((rng.random() + shift) % 1)}) for _ in range(count)]


def experiment_of(log_url, searcher=None, **more):
    options = {"budget": 40, "searcher": "sobol", "log": log_url, "parallel_bandwidth": 4, **more}
    experiment = hs.Experiment(
        "ahead", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], **options
    )
    if searcher is not None:
        experiment.engine.use(searcher)
    return experiment


def replayed(log, run, searcher):
    question, mark = question_of(log, run), run.sys_metadata["history"]
    found = searcher.suggest(question.spec, question.history, mark["count"], question.rng())
    return dict(found[mark["place"]].assignments)


def until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_with_workers_in_parallel_an_ask_is_answered_by_what_is_ready(log_url):
    searcher = Slow()
    experiment = experiment_of(log_url, searcher)
    first = experiment.ask()
    until(lambda: len(searcher.asked) == 2)  # once for the answer, once ahead
    searcher.gate.clear()
    experiment.tell(first, {"loss": 0.5})
    run = experiment.ask()  # while nobody can think
    searcher.gate.set()
    assert experiment.log.run(run.id).sys_metadata["history"]["ended"] == 0
    assert run.params != first.params
    assert any(name.startswith("heliostat-think") for name in searcher.threads)


def test_a_loop_and_a_lone_worker_always_know_the_newest_result(log_url):
    searcher = Slow()
    experiment = experiment_of(log_url, searcher, budget=8)
    for run in experiment.loop():
        run.log_metric("loss", run["x"])
    assert searcher.asked == list(range(8))
    alone = experiment_of(log_url, searcher := Slow(), parallel_bandwidth=None, budget=5)
    while not alone.is_finished():
        alone.tell(alone.ask(), {"loss": 0.25})
    assert searcher.asked == list(range(5))
    assert len(searcher.threads) == 1


def test_what_is_ready_is_thrown_away_once_it_has_missed_too_much(log_url):
    experiment = experiment_of(log_url, Slow())
    runs = [experiment.ask() for _ in range(4)]
    for run in runs:
        experiment.tell(run, {"loss": 0.1})
    late = experiment.ask()
    mark = experiment.log.run(late.id).sys_metadata["history"]
    assert mark["ended"] == 4  # four results are more than the one that may be missed


def test_what_is_ready_is_thrown_away_when_the_declaration_changes(log_url):
    experiment = experiment_of(log_url, Slow())
    experiment.ask()
    experiment.update(parameters=[hs.Double("x", 0, 1, default_value=0.5)])
    changed = experiment.log.events(kinds=("ChangeExperiment",))[-1].seq
    run = experiment.ask()
    assert experiment.log.run(run.id).sys_metadata["history"]["changed"] == changed


def test_every_suggestion_can_be_replayed_from_the_log_alone(log_url):
    experiment = experiment_of(log_url, Slow(), budget=24)
    rng = np.random.default_rng(3)
    held = []
    experiment.queue({"x": 0.125})
    while not experiment.is_finished():
        held.append(experiment.ask())
        while held and rng.random() < 0.45:
            experiment.tell(held.pop(rng.integers(len(held))), {"loss": float(rng.random())})
    log = hs.open_log(log_url)
    runs = log.runs(experiment.id)
    assert len(runs) == 24
    for run in runs[1:]:
        assert replayed(log, run, Slow()) == dict(run.assignments), run.sys_metadata
    with pytest.raises(InvalidValue, match="answers no question"):
        question_of(log, runs[0])


def test_many_threads_get_different_runs_and_no_more_than_the_budget(log_url):
    experiment = experiment_of(log_url, budget=32, parallel_bandwidth=8)
    lock, failures, seen = threading.Lock(), [], []

    def work():
        try:
            while True:
                run = experiment.ask()
                with lock:
                    seen.append(run["x"])
                experiment.tell(run, {"loss": run["x"]})
        except InvalidValue:
            pass
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert (len(seen), len(set(seen))) == (32, 32)


def test_a_searcher_that_fails_in_the_background_is_asked_again_in_front(log_url, caplog):
    class Moody(Slow):
        def suggest(self, spec, history, count, rng):
            if threading.current_thread().name.startswith("heliostat-think"):
                raise ArithmeticError("not now")
            return super().suggest(spec, history, count, rng)

    experiment = experiment_of(log_url, Moody())
    assert [experiment.ask().number for _ in range(3)] == [1, 2, 3]
    assert "thinking ahead failed" in caplog.text
