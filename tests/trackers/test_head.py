"""The log on the head node: what only a log behind a Ray actor has to promise."""

import os
import signal
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest
import ray
import ray.tune

import heliostat as hs
from heliostat.errors import Conflict, InvalidValue, StorageError
from heliostat.experiment import read_experiment
from heliostat.ports import RunLog
from heliostat.registry import open_log
from heliostat.trial import Checkpoint, State
from heliostat.writes import (
    AddFile,
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    UpdateRun,
)
from heliostat_trackers import head
from heliostat_trackers.head.client import RayRunLog
from heliostat_trackers.head.link import Link, Unreachable
from heliostat_trackers.head.place import log_place
from heliostat_trackers.head.sender import Sender
from heliostat_trackers.head.wire import packed_write, unpacked_write

pytestmark = [
    pytest.mark.ray,
    # Ray's own: sockets and processes that it leaves to the garbage collector, and calls of old interfaces.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray.*", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def place(ray_cluster, tmp_path_factory):
    """One file and its actor for all tests; they make runs of their own."""
    place = log_place(f"ray://{tmp_path_factory.mktemp('head') / 'heliostat.db'}")
    yield place
    head.stop(place.url)


@pytest.fixture
def log(place):
    log = open_log(place.url)
    yield log
    log.close()


@pytest.fixture
def run(log):
    return log.apply(CreateRun(None, {"x": 0.5}, time=1.0)).run


@pytest.fixture
def impatient(place):
    """A client that gives up soon."""
    log = RayRunLog(place.url, patience=2.0)
    yield log
    log.close()


@pytest.fixture
def paused(place, impatient):
    """The actor's process, stopped until somebody lets it go on."""
    pid = actor_pid(place)
    os.kill(pid, signal.SIGSTOP)
    yield lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def actor_pid(place):
    return Link(place).greet(60.0).pid


def test_the_port_is_complete():
    ports = {name for name in vars(RunLog) if not name.startswith("_")}
    assert ports <= set(dir(RayRunLog))


def test_workers_and_driver_share_one_file(place, log):
    @ray.remote(num_cpus=0)
    def train(log, number):
        run = log.apply(CreateRun(None, {"number": number}, project="shared", time=1.0)).run
        for step in range(10):
            log.submit(LogCheckpoints(run, (Checkpoint(step, {"loss": 1.0}),)))
        log.apply(FinishRun(run, State.COMPLETED, "done", time=2.0))
        return run, log.url, type(log).__name__

    made = ray.get([train.remote(log, number) for number in range(4)])
    assert {(url, kind) for _, url, kind in made} == {(place.url, "RayRunLog")}
    found = {run.id: run for run in log.runs(project="shared", curves=True)}
    assert set(found) == {run for run, _, _ in made}
    assert all(len(run.curve) == 10 and run.state is State.COMPLETED for run in found.values())
    direct = open_log(place.path)
    assert direct.runs(project="shared", curves=True) == list(found.values())
    direct.close()


def test_a_log_that_travels_is_opened_once_a_process(log):
    @ray.remote(num_cpus=0)
    def same(first, second):
        return first is second

    assert ray.get(same.remote(log, log))


def test_a_killed_actor_costs_nothing_but_time(place, log, run):
    """Nothing is lost, done twice or out of order."""
    old = actor_pid(place)
    futures = []
    for index in range(3000):
        futures.append(log.submit(UpdateRun(run, time=1.0, metadata={"last": index})))
        if index == 1500:
            futures[1000].result()
            os.kill(old, signal.SIGKILL)
    log.flush()
    sequence = [future.result().seq for future in futures]
    assert sequence == sorted(set(sequence))
    assert log.run(run).metadata["last"] == 2999
    assert actor_pid(place) != old


def test_an_actor_that_was_stopped_for_good_is_started_anew(place, log, run):
    head.stop(place.url)
    assert log.apply(UpdateRun(run, time=1.0, metadata={"a": 1})).run == run
    head.stop(place.url)
    assert log.run(run).metadata == {"a": 1}


def test_no_answer_in_time_is_an_error_and_the_write_can_be_sent_again(log, impatient, paused):
    write = CreateRun(None, {"x": 0.5}, project="slow", time=1.0)
    futures = [impatient.submit(write) for _ in range(3)]
    with pytest.raises(StorageError, match=r"3 writes .* were not acknowledged within 2 s") as caught:
        futures[0].result()
    assert caught.value.code == "HS-STORAGE-032"
    impatient.flush()
    paused()
    run = log.apply(write).run
    assert [found.id for found in log.runs(project="slow")] == [run]


def test_a_read_that_is_not_answered_is_an_error(impatient, paused):
    with pytest.raises(StorageError, match="did not answer within 2 s") as caught:
        impatient.tags()
    assert caught.value.code == "HS-STORAGE-031"


def test_a_full_queue_holds_the_caller_back():
    is_back = threading.Event()

    def post(*_):
        """A network that takes the call and does nothing with it; no answer is late before it gives up."""
        is_back.wait()
        raise Unreachable("the head node is gone")

    sender = Sender(post, is_connected=lambda: True, url="ray://gone", patience=0.5)
    futures = [sender.put(b"x" * (30 * MEGABYTE)) for _ in range(2)]
    late = time.monotonic()
    with pytest.raises(StorageError, match=r"no room for the write within 0\.5 s: 2 writes wait") as caught:
        sender.put(b"x" * (30 * MEGABYTE))
    assert caught.value.code == "HS-STORAGE-033"
    assert time.monotonic() - late >= 0.5
    is_back.set()
    sender.flush()
    assert [future.exception().code for future in futures] == ["HS-STORAGE-032"] * 2
    sender.close()


def test_a_callback_may_submit_but_not_wait(log, run):
    seen = []

    def answered(_):
        seen.append(log.submit(UpdateRun(run, time=1.0, metadata={"from": "callback"})))
        for wait in (lambda: log.apply(UpdateRun(run, time=1.0)), log.flush, log.close):
            try:
                wait()
            except StorageError as error:
                seen.append(error.code)

    log.submit(UpdateRun(run, time=1.0)).add_done_callback(answered)
    log.flush()
    log.flush()
    assert seen[0].result().run == run
    assert seen[1:] == ["HS-STORAGE-011"] * 3


def test_a_conflict_is_a_conflict(log, run):
    log.apply(FinishRun(run, State.COMPLETED, "done", time=2.0))
    with pytest.raises(Conflict):
        log.apply(FinishRun(run, State.FAILED, "again", time=3.0))


def test_many_runs_come_back_as_they_are(place, log):
    for index in range(700):
        log.submit(CreateRun(None, {f"x{item}": index / 7 for item in range(20)}, project="many", time=1.0))
    log.flush()
    direct = open_log(place.path)
    assert log.runs(project="many") == direct.runs(project="many")
    direct.close()


def test_foreign_values_travel_as_plain_ones():
    import numpy as np

    values = {"a": np.float32(0.5), "b": np.arange(3), "c": MappingProxyType({"d": np.str_("e")})}
    write = UpdateRun(1, time=1.0, metadata=values)
    found = unpacked_write(packed_write(write)).metadata
    assert found == {"a": 0.5, "b": [0, 1, 2], "c": {"d": "e"}}
    assert {type(found["a"]), type(found["c"]), type(found["c"]["d"])} == {float, dict, str}
    file = AddFile(1, "a", memoryview(b"bytes"), time=1.0)
    assert unpacked_write(packed_write(file)).content == b"bytes"
    assert b"numpy" not in packed_write(write)
    with pytest.raises(InvalidValue):
        packed_write(UpdateRun(1, time=1.0, metadata={"a": object()}))


@pytest.mark.slow
def test_a_sweep_logs_through_the_head_node(log):
    def bowl(config):
        ray.tune.report({"loss": (config["x"] - 0.3) ** 2})

    experiment = hs.Experiment(
        "bowl", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], budget=4, searcher="sobol",
        seed=1, log=log,
    )  # fmt: skip
    result = experiment.sweep(bowl, parallel=2)
    assert result.is_complete
    assert [run.state for run in log.runs(experiment.id)] == [State.COMPLETED] * 4


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ray://", "needs a file"),
        ("ray:///", "needs a file"),
        ("ray://head-node:10001", "not the address of a Ray Client server"),
        ("sqlite:///x", "needs a file"),
    ],
)
def test_a_url_that_names_no_file(url, says):
    with pytest.raises(StorageError, match=says):
        log_place(url)


def test_a_relative_path_is_the_drivers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert log_place("ray://a/b.db").url == f"ray://{tmp_path}/a/b.db"
    assert log_place("ray:///a/b.db").url == "ray:///a/b.db"
    with pytest.raises(StorageError, match="a folder that Ray made"):
        log_place("ray://a/b.db", is_worker=True)
    copied = tmp_path / "runtime_resources" / "working_dir"
    copied.mkdir(parents=True)
    monkeypatch.chdir(copied)
    with pytest.raises(StorageError, match="a folder that Ray made"):
        log_place("ray://a/b.db")


def test_a_file_that_cannot_be_opened_is_refused_at_once(ray_cluster, tmp_path):
    (tmp_path / "other.db").write_bytes(b"not a database, but a text that somebody needs" * 100)
    url = f"ray://{tmp_path / 'other.db'}"
    with pytest.raises(StorageError, match="not a database"):
        open_log(url)
    head.stop(url)


def test_another_version_is_refused(place, monkeypatch):
    monkeypatch.setattr("heliostat_trackers.head.client.__version__", "99.0")
    with pytest.raises(StorageError, match=r"runs Heliostat .* and this process 99\.0"):
        open_log(place.url)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_refused_and_not_left_hanging(place, log, run):
    child = os.fork()
    if child == 0:
        refused = 0
        for attempt in (
            lambda: open_log(place.url),
            lambda: log.submit(UpdateRun(run, time=1.0)),
            lambda: log.run(run),
            log.flush,
        ):
            try:
                attempt()
            except StorageError as error:
                refused += error.code == "HS-STORAGE-010"
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4


def test_the_command_line_reaches_it_by_the_clusters_address(place, log):
    spec = {"name": "far away", "parameters": [hs.Double("x", 0, 1)], "metrics": [hs.minimize("loss")]}
    log.apply(CreateExperiment(read_experiment(spec).to_dict(), time=1.0))
    environment = {**os.environ, "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    done = subprocess.run(
        [sys.executable, "-m", "heliostat.cli", "ls", "--log", place.url],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "far away" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_driver_may_leave_its_cluster_and_come_back(tmp_path):
    """What was submitted in between, or was under way, is sent to the next cluster."""
    code = (
        "import heliostat, ray\n"
        "from heliostat import cluster\n"
        "from heliostat.writes import CreateRun, UpdateRun\n"
        "cluster.connect()\n"
        "log = heliostat.open_log('ray://away.db')\n"
        "run = log.apply(CreateRun(None, {}, time=1.0)).run\n"
        "some = [log.submit(UpdateRun(run, time=1.0, metadata={'n': n})) for n in range(1000)]\n"
        "ray.shutdown()\n"
        "some += [log.submit(UpdateRun(run, time=1.0, metadata={'n': n})) for n in range(1000, 1100)]\n"
        "cluster.connect()\n"
        "log.flush()\n"
        "seq = [future.result().seq for future in some]\n"
        "print(seq == sorted(set(seq)), log.run(run).metadata['n'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "1099"], done.stderr


def test_without_a_cluster_nothing_is_started():
    code = (
        "import heliostat, ray\n"
        "try:\n"
        "    heliostat.open_log('ray:///tmp/x.db')\n"
        "except heliostat.errors.StorageError as error:\n"
        "    print(error.code, ray.is_initialized())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["HS-STORAGE-030", "False"]
