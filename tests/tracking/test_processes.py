"""One run, seen from threads, other processes and Ray's workers."""

import multiprocessing
import pickle
import threading

import pytest

import heliostat as hs
from heliostat.testing.programs import only
from heliostat.trial import State


def test_eight_threads_with_runs_of_their_own(log):
    ids = {}

    def work(thread):
        with hs.create_run(name=f"thread {thread}") as run:
            for step in range(50):
                hs.log_metric("last", thread * 100 + step)
                run.log_checkpoint({"loss": step})
            hs.params.thread = thread
            ids[thread] = hs.get_run_id()

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for thread, id in ids.items():
        found = log.run(id)
        assert (found.name, found.assignments) == (f"thread {thread}", {"thread": thread})
        assert found.numbers == {"last": thread * 100 + 49}
        assert [point.step for point in found.curve] == list(range(1, 51))
    assert len(log.runs()) == 8


def test_a_helper_thread_logs_into_the_run_of_the_main_thread(log):
    with hs.create_run():
        helper = threading.Thread(target=hs.log_metric, args=("seen", 1.0))
        helper.start()
        helper.join()
    assert only(log).numbers == {"seen": 1.0}


def log_there(run, place):
    """In another process."""
    run.log_metric(f"metric {place}", place)
    run.log_checkpoint({"loss": place}, step=place)
    run.params[f"p{place}"] = place
    with hs.create_run(name=f"child {place}"):
        hs.log_metric("own", place)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # fork with threads, from Python 3.12 on
def test_a_run_goes_into_other_processes(log, method):
    context = multiprocessing.get_context(method)
    with hs.create_run(name="parent") as run:
        run.log_metric("before", 0.0)
        children = [context.Process(target=log_there, args=(run, place)) for place in range(1, 4)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
        assert hs.get_run_id() == run.id
    found = log.run(run.id)
    assert found.state is State.COMPLETED
    assert found.numbers == {"before": 0.0, "metric 1": 1.0, "metric 2": 2.0, "metric 3": 3.0}
    assert found.assignments == {"p1": 1, "p2": 2, "p3": 3}
    assert [(point.step, point.values["loss"]) for point in found.curve] == [(1, 1.0), (2, 2.0), (3, 3.0)]
    others = {item.name: (item.numbers, str(item.state)) for item in log.runs() if item.id != run.id}
    assert others == {f"child {place}": ({"own": float(place)}, "completed") for place in range(1, 4)}


def test_a_pickled_run_goes_on_where_it_was(log):
    with hs.create_run() as run:
        run.params.x = 1
        run.log_checkpoint({"loss": 3.0})
        other = pickle.loads(pickle.dumps(run))
        assert (other.id, other.params, other.is_open) == (run.id, {"x": 1}, True)
        other.log_checkpoint({"loss": 2.0})
        other.flush()
    assert [point.step for point in only(log).curve] == [1, 2]
    assert not pickle.loads(pickle.dumps(run)).is_open


def test_a_block_elsewhere_leaves_the_run_to_the_process_that_made_it(log):
    run = hs.create_run()
    with pickle.loads(pickle.dumps(run)):
        hs.log_metric("loss", 1.0)
    assert only(log).state is State.ACTIVE
    with pytest.raises(ZeroDivisionError), pickle.loads(pickle.dumps(run)):
        raise ZeroDivisionError("in a worker")
    ended = run.end()
    assert (ended.state, ended.numbers) == (State.FAILED, {"loss": 1.0})
    assert ended.failure.message == "ZeroDivisionError: in a worker"


@pytest.mark.ray
def test_a_run_goes_into_a_ray_worker(log, ray_cluster):
    @ray_cluster.remote
    def work(run):
        import heliostat

        with run:
            heliostat.log_metric("from the worker", 1.0)
        return run.id

    run = hs.create_run()
    assert ray_cluster.get(work.remote(run)) == run.id
    assert run.end().state is State.COMPLETED
    assert only(log).numbers == {"from the worker": 1.0}
