"""Runs of any code: what is said about them is kept, in threads and processes, whatever is thrown at it."""

import io
import json
import math
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import heliostat as hs
from heliostat.errors import Conflict, InvalidValue, NotFound
from heliostat.registry import shared_log
from heliostat.tracking.capture.parts import PARTS
from heliostat.tracking.recording import RunRecording
from heliostat.tracking.run_context import RunContext
from heliostat.trial import LateMeasurement, Measurement, State

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def _own_log(log_url, monkeypatch):
    monkeypatch.setenv("HELIOSTAT_LOG", log_url)
    monkeypatch.setenv("HELIOSTAT_PROJECT", "tests")
    monkeypatch.setenv("HELIOSTAT_CAPTURE", "none")


@pytest.fixture
def log(log_url):
    with closing(shared_log(log_url)) as opened:
        yield opened


def only(log):
    (run,) = log.runs(curves=True)
    return log.run(run.id)


def python(code, folder, *, fails=False, **environment):
    """Run a program as its author would; its output."""
    script = folder / "program.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done


# The explicit run


def test_everything_that_is_said_about_a_run_is_kept(log):
    with hs.create_run(name="seed run", metadata={"rows": 10}, tags=["a", "b"]) as run:
        run.params.max_depth = 3
        run.params.update({"learning_rate": 0.3}, booster="gbtree")
        run.params.setdefaults(max_depth=9, gamma=0)
        run.set_parameters({"eta": 1})
        run.set_parameters_source({"gamma": 0, "eta": 1}, "XGBoost Defaults")
        run.set_parameters_sources_meta("XGBoost Defaults", sort=4, default_show=False)
        run.log_dataset("breast cancer", {"rows": 569})
        run.log_metadata("data source", "sklearn")
        run.log_dev_metadata("seed", 7)
        run.log_sys_metadata("feature_importances", {"type": "gain", "scores": {"x": 1.0}})
        run.log_model("XGBClassifier")
        run.log_metric("training and validation time (s)", 1.5, stddev=0.1)
        run.log_metrics({"auc": (0.9, 0.01)}, loss=0.3)
        run.log_checkpoint({"loss": 0.5, "nothing": None})
        run.log_checkpoint({"loss": 0.3})
        run.log_source_code(content="print()", hash="abc")
        run.set_logs({"stdout": "x" * 5000})
        run.set_note("**good**")
        run.set_favorite()
        run.remove_tags("b")
        del run.params.booster
    found = only(log)
    assert (found.name, found.project, found.origin, found.state) == (
        "seed run",
        "tests",
        "user",
        State.COMPLETED,
    )
    assert found.assignments == {"max_depth": 3, "learning_rate": 0.3, "gamma": 0, "eta": 1}
    assert found.parameter_sources == {"gamma": "XGBoost Defaults", "eta": "XGBoost Defaults"}
    assert found.sources == {"XGBoost Defaults": {"sort": 4, "default_show": False}}
    assert found.datasets == {"breast cancer": {"rows": 569}}
    assert found.metadata == {"rows": 10, "data source": "sklearn"}
    assert found.dev_metadata == {"seed": 7}
    assert found.sys_metadata == {"feature_importances": {"type": "gain", "scores": {"x": 1.0}}}
    assert (found.model, found.source_hash, found.note, found.favorite) == (
        "XGBClassifier",
        "abc",
        "**good**",
        True,
    )
    assert found.values == {
        "training and validation time (s)": Measurement(1.5, 0.1),
        "auc": Measurement(0.9, 0.01),
        "loss": Measurement(0.3),
    }
    assert [(point.step, point.values) for point in found.curve] == [(1, {"loss": 0.5}), (2, {"loss": 0.3})]
    assert log.texts(found.id) == {"source": "print()", "stdout": "x" * 5000}
    assert found.tags == ("a",)
    assert found.started <= found.ended
    assert run.id == found.id


def test_an_exception_fails_the_run_and_goes_on_upwards(log):
    with pytest.raises(ZeroDivisionError), hs.create_run() as run:
        run.log_metric("loss", 1.0)
        raise ZeroDivisionError("at the edge")
    found = only(log)
    assert (found.state, found.failure.kind, found.failure.message) == (
        State.FAILED,
        "user_error",
        "ZeroDivisionError: at the edge",
    )
    assert "test_tracking.py" in found.failure.traceback
    assert found.numbers == {"loss": 1.0}


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (SystemExit(0), "completed", "finished"),
        (SystemExit(3), "failed", "exit code 3"),
    ],
)
def test_leaving_by_other_ways(log, error, state, reason):
    with pytest.raises(type(error)), hs.create_run():
        raise error
    assert (str(only(log).state), only(log).end_reason) == (state, reason)


def test_a_logged_failure_outranks_a_completed_end_and_the_rest_is_kept(log):
    with hs.create_run() as run:
        run.log_failure("the loss diverged")
        run.log_metric("loss", 3.0)
    assert (only(log).state, only(log).failure.message) == (State.FAILED, "the loss diverged")
    assert only(log).numbers == {"loss": 3.0}


def test_a_run_ends_once(log):
    run = hs.create_run()
    assert run.end().state is State.COMPLETED
    assert run.end(ValueError()).state is State.COMPLETED
    for late in (
        lambda: run.log_metric("loss", 1.0),
        lambda: run.log_checkpoint({"loss": 1.0}),
        lambda: run.params.update(x=1),
    ):
        with pytest.raises(Conflict, match="has ended"):
            late()
    run.log_metadata("seen by", "Ann")
    assert run.read().metadata == {"seen by": "Ann"}


def test_metrics_may_come_days_later_and_never_mix(log):
    with hs.create_run() as run:
        run.log_metric("clicks", 0.1)
        run.log_metric("clicks", 0.3, role="training")
    run.log_metric("clicks", 0.2, stddev=0.01, role="production", time=1000.0)
    later = hs.get_run(str(run.id))
    later.log_metric("clicks", 0.25, role="production", time=2000.0)
    with pytest.raises(Conflict, match='role="production"'):
        later.log_metric("clicks", 0.25)
    found = later.read()
    assert found.numbers == {"clicks": 0.1}
    assert list(found.late["production"]["clicks"]) == [
        LateMeasurement(0.2, 1000.0, 0.01),
        LateMeasurement(0.25, 2000.0),
    ]
    assert set(found.late) == {"production", "training"}
    with pytest.raises(InvalidValue, match="belongs to values with a role"):
        later.log_metric("clicks", 0.25, time=1.0)


def test_parameters_are_a_mapping_with_attributes(log):
    with hs.create_run() as run:
        params = run.params
        params["x"] = 1
        params |= {"y": 2}
        assert (params.x, params.setdefault("z", 3), params.pop("y"), params.pop("none", 5)) == (1, 3, 2, 5)
        assert dict(**params) == {"x": 1, "z": 3} == json.loads(json.dumps(params))
        assert params.popitem() == ("z", 3)
        with pytest.raises(AttributeError, match=r"no parameter 'w'; this run has x"):
            _ = params.w
    assert run.read().assignments == {"x": 1}
    other = hs.create_run()
    other.params.update(a=1, b=2)
    other.params.clear()
    assert other.end().assignments == {}


# Pictures


def test_pictures_of_every_kind(log, tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    Image.new("RGB", (4, 3), (255, 0, 0)).save(tmp_path / "red.jpeg")
    figure = Figure()
    figure.subplots().plot([1, 2])
    gradient = np.linspace(-10, 300, 12).reshape(3, 4)
    with hs.create_run() as run:
        run.log_image(str(tmp_path / "red.jpeg"))
        run.log_image(Image.new("L", (4, 3)), name="grey")
        run.log_image(figure, name="curve")
        run.log_image(gradient, name="gradient")
        run.log_image(np.zeros((3, 4, 4), dtype=np.uint8), name="transparent")
    files = log.files(run.id)
    assert [(item.name, item.content_type) for item in files] == [
        ("red.jpeg", "image/jpeg"),
        ("grey", "image/png"),
        ("curve", "image/svg+xml"),
        ("gradient", "image/png"),
        ("transparent", "image/png"),
    ]
    back = Image.open(io.BytesIO(log.file(files[3].id)[1]))
    assert np.array_equal(np.asarray(back), gradient.clip(0, 255).astype(np.uint8))
    assert Image.open(io.BytesIO(log.file(files[4].id)[1])).mode == "RGBA"
    for image, rule in (
        ("notes.txt", "a file must end in one of"),
        ("none.png", "cannot be read"),
        (np.zeros((2, 2, 7)), "1, 3 or 4 channels"),
        (3, "must be a path, a PIL image"),
    ):
        with pytest.raises(InvalidValue, match=rule):
            run.log_image(image)


# Bad input: a defined outcome for each, as in docs/tracking.md


def test_nan_and_infinity_are_what_they_are(log):
    with hs.create_run() as run:
        run.log_metrics({"a": NAN, "b": INFINITY, "c": -INFINITY, "d": np.float32(0.5), "e": np.int64(3)})
        run.log_checkpoint({"a": NAN})
        run.params.update(x=NAN, y=INFINITY)
        run.log_metadata("z", NAN)
    found = only(log)
    numbers = found.numbers
    assert math.isnan(numbers["a"])
    assert (numbers["b"], numbers["c"], numbers["d"], numbers["e"]) == (INFINITY, -INFINITY, 0.5, 3.0)
    assert math.isnan(found.curve[0].values["a"])
    assert math.isnan(found.assignments["x"])
    assert found.assignments["y"] == INFINITY
    assert math.isnan(found.metadata["z"])


@pytest.mark.parametrize("value", ["0.5", "high", None, [1, 2], {"a": 1}, True, 1j, 10**400, (0.5, -1)])
def test_a_metric_that_is_no_number_is_refused_and_the_run_goes_on(log, value):
    with hs.create_run() as run:
        with pytest.raises(InvalidValue, match="metric 'auc'"):
            run.log_metric("auc", value)
        with pytest.raises(InvalidValue, match="metric 'auc'"):
            run.log_checkpoint({"loss": 1.0, "auc": "0.5"})
        run.log_metric("loss", 1.0)
    assert (only(log).numbers, only(log).curve, only(log).state) == ({"loss": 1.0}, (), State.COMPLETED)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "nul\x00", 3, None, "\ud800"])
def test_a_name_that_is_no_name_is_refused(log, name):
    with hs.create_run() as run:
        for call in (
            lambda: run.log_metric(name, 1.0),
            lambda: run.log_metrics({name: 1.0}),
            lambda: run.params.update({name: 1}),
            lambda: run.log_dataset(name),
            lambda: run.log_metadata(name, 1),
            lambda: run.log_image(np.zeros((2, 2)), "\x00"),
        ):
            with pytest.raises(InvalidValue):
                call()
    assert (only(log).numbers, only(log).assignments, only(log).metadata) == ({}, {}, {})


def test_emoji_and_all_scripts_are_names_and_values(log):
    with hs.create_run(name="🦉 雪") as run:
        run.log_metric("точность 👩‍🔬 (%)", 1.0)
        run.params["größe"] = "🦉"
    assert (only(log).name, only(log).numbers, only(log).assignments) == (
        "🦉 雪",
        {"точность 👩‍🔬 (%)": 1.0},
        {"größe": "🦉"},
    )


def test_long_texts_and_many_parameters_are_kept_whole(log):
    million = "x" * 10**6
    many = {f"p{place}": place for place in range(10_000)}
    with hs.create_run() as run:
        run.log_metadata("long", million)
        run.params.update(many, long=million)
        run.log_metadata("nul", "a\x00b")
        run.log_metadata("surrogate", "\ud800")
        with pytest.raises(InvalidValue, match=r"at most 4194304 characters.*set_logs"):
            run.log_metadata("too long", "x" * (4 * 2**20 + 1))
    found = only(log)
    assert found.metadata == {"long": million, "nul": "a\x00b", "surrogate": "\ud800"}
    assert found.assignments == {**many, "long": million}


def test_facts_of_other_kinds_become_texts_as_with_sigopt(log):
    with hs.create_run() as run:
        for key, value in {
            "flag": True,
            "numpy flag": np.bool_(False),
            "whole": np.int64(3),
            "scalar": np.array(2.5),
            "list": [1, 2],
            "none": None,
        }.items():
            run.log_metadata(key, value)
            run.params[key] = value
    kept = {"flag": True, "numpy flag": False, "whole": 3, "scalar": 2.5, "list": "[1, 2]"}
    assert (only(log).metadata, only(log).assignments) == (kept, kept)
    assert run.params["list"] == [1, 2]


def test_a_clock_that_goes_back_takes_no_run_with_it(log):
    made = hs.create_run()
    times = iter([5000.0, 4000.0, 6000.0, 1.0, 1.0, 1.0])
    run = RunContext(log, log.run(made.id), clock=lambda: next(times, 1.0))
    for value in (1.0, 2.0, 3.0):
        run.log_checkpoint({"loss": value})
    ended = run.end()
    assert [point.time for point in ended.curve] == [5000.0, 5000.0, 6000.0]
    assert ended.ended >= ended.started
    assert made.end() == ended


def test_what_the_log_cannot_keep_is_never_lost_in_silence(tmp_path):
    done = python(
        "import heliostat as hs\n"
        "from heliostat.errors import StorageError\n"
        "log = hs.open_log('own.db')\n"
        "run = hs.create_run(log=log)\n"
        "log.close()\n"
        "for call in (lambda: run.log_metric('loss', 1.0), run.flush, run.end):\n"
        "    try:\n"
        "        call()\n"
        "    except StorageError as error:\n"
        "        print(error.code)\n"
        "with run:\n"
        "    print('the work goes on')\n"
        "print('and what follows it, too')\n",
        tmp_path,
        PYTHONWARNINGS="default",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("HS-STORAGE")]
    assert len(codes) >= 2
    assert done.stdout.endswith("the work goes on\nand what follows it, too\n")
    assert "RuntimeWarning: run 1 is not recorded in full" in done.stderr
    assert "run 1 could not be ended" in done.stderr


def test_a_refused_write_is_said_at_once_and_at_the_end(log, caplog):
    run = hs.create_run()
    stale = RunContext(log.url, log.run(run.id))
    stale._attempt = 7  # as if another attempt had begun
    stale.log_metric("loss", 1.0)
    with pytest.raises(Conflict, match="attempt 1"):
        stale.flush()
    assert "not recorded in full" in caplog.text
    assert run.end().numbers == {}


def test_unknown_runs_and_projects(log):
    with pytest.raises(NotFound):
        hs.get_run(999)
    with pytest.raises(InvalidValue, match="letters, digits"):
        hs.set_project("no/slash")
    with pytest.raises(InvalidValue, match="must name known parts"):
        hs.create_run(capture="everything")


# Threads and processes


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


# The sigopt module's names

SIGOPT = """
import {module} as sigopt

sigopt.log_dataset("name")
sigopt.log_metadata("rows", 569)
sigopt.log_metadata("environment", [1, 2])
sigopt.log_model("XGBClassifier")
sigopt.params.max_depth = 3
sigopt.params.setdefaults(dict(learning_rate=0.3, max_depth=6))
sigopt.params.update({{"gone": 1}})
del sigopt.params["gone"]
assert dict(sigopt.params) == {{"max_depth": 3, "learning_rate": 0.3}}, sigopt.params
sigopt.log_metric("accuracy", 0.9)
sigopt.log_metric(name="training and validation time (s)", value=1.5, stddev=0.1)
sigopt.log_metrics({{"f1": 0.8}}, recall=0.7)
for epoch in range(3):
    sigopt.log_checkpoint({{"loss": 1.0 / (1 + epoch)}})
{end}
"""


def check_sigopt(found):
    assert found.datasets == {"name": {}}
    assert found.metadata == {"rows": 569, "environment": "[1, 2]"}
    assert (found.model, found.assignments) == ("XGBClassifier", {"max_depth": 3, "learning_rate": 0.3})
    assert found.numbers == {
        "accuracy": 0.9,
        "training and validation time (s)": 1.5,
        "f1": 0.8,
        "recall": 0.7,
    }
    assert [point.values["loss"] for point in found.curve] == [1.0, 0.5, 1.0 / 3]


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        ("", "completed", "the program ended"),
        ("1 / 0", "failed", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "completed", "the program ended"),
        ("import sys; sys.exit(3)", "failed", "exit code 3"),
        ("raise KeyboardInterrupt", "cancelled", "KeyboardInterrupt"),
        ("sigopt.log_failure()", "failed", "reported by the user"),
        (
            "import sys\ntry:\n    sys.exit(3)\nexcept SystemExit:\n    sigopt.log_metadata('rows', 569)",
            "completed",
            "the program ended",
        ),
    ],
)
def test_a_program_without_any_run_is_one(log, tmp_path, end, state, reason):
    fails = "raise K" in end or "1 / 0" in end or end.endswith("exit(3)")
    python(SIGOPT.format(module="heliostat", end=end), tmp_path, fails=fails)
    found = only(log)
    check_sigopt(found)
    assert (str(found.state), found.end_reason) == (state, reason)


def test_reading_parameters_and_ids_opens_no_run(log, tmp_path):
    python(
        "import heliostat as sigopt\n"
        "assert sigopt.get_run_id() is None\n"
        "assert dict(sigopt.params) == {} and 'x' not in sigopt.params and not hasattr(sigopt.params, 'x')\n"
        "print(repr(sigopt.params))\n",
        tmp_path,
    )
    assert log.runs() == []


def test_what_was_set_on_the_module_is_what_new_runs_begin_with(log, tmp_path):
    python(
        "import heliostat as sigopt\n"
        "sigopt.params.setdefaults(lr=0.1)\n"
        "with sigopt.create_run(name='inner') as run:\n"
        "    assert run.params.lr == 0.1\n"
        "    sigopt.params.lr = 0.2\n"
        "    assert sigopt.get_run_id() == run.id\n"
        "assert sigopt.params.lr == 0.1\n"
        "assert sigopt.get_run_id() != run.id\n",
        tmp_path,
    )
    assert {run.name == "inner": run.assignments for run in log.runs()} == {
        True: {"lr": 0.2},
        False: {"lr": 0.1},
    }


def test_child_processes_log_into_the_programs_run(log, tmp_path):
    python(
        "import heliostat, multiprocessing, subprocess, sys\n"
        "def child(): heliostat.log_metric('forked', 1)\n"
        "if __name__ == '__main__':\n"
        "    heliostat.log_metric('parent', 0)\n"
        "    process = multiprocessing.get_context('fork').Process(target=child)\n"
        "    process.start(); process.join()\n"
        "    code = 'import heliostat; heliostat.log_metric(\"started\", 2); heliostat.params.x = 1'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n",
        tmp_path,
    )
    assert only(log).numbers == {"parent": 0.0, "forked": 1.0, "started": 2.0}
    assert (only(log).state, only(log).assignments) == (State.COMPLETED, {"x": 1})


def test_a_run_that_nobody_ends_ends_with_its_process(log, tmp_path):
    python("import heliostat\nheliostat.create_run().log_metric('loss', 1.0)\n1 / 0", tmp_path, fails=True)
    assert (only(log).state, only(log).numbers) == (State.FAILED, {"loss": 1.0})


def test_projects(log):
    from heliostat.tracking import projects

    assert hs.create_project("vision", name="Computer vision").name == "Computer vision"
    try:
        assert hs.create_run().end().project == "vision"
        hs.set_project("other")
        assert hs.create_run(project="third").end().project == "third"
        assert hs.create_run().end().project == "other"
    finally:
        projects._chosen = None
    assert [(item.id, item.name) for item in log.projects()] == [
        ("vision", "Computer vision"),
        ("third", "third"),
        ("other", "other"),
    ]


def test_archiving(log):
    run = hs.create_run()
    hs.archive_run(run.id)
    assert run.read().archived
    hs.unarchive_run(str(run.id))
    assert not run.read().archived
    run.end()


def test_uploading_runs_is_all_or_nothing(log):
    bodies = [
        {
            "name": f"old {place}",
            "assignments": {"x": place},
            "assignments_meta": {"x": {"source": "Hyperopt"}},
            "values": {"loss": {"value": place, "value_stddev": 0.5}},
            "metadata": {"optimizer": "hyperopt"},
            "datasets": {"d": {}},
            "model": {"type": "svm"},
            "logs": {"stdout": {"content": "hello"}},
            "source_code": {"content": "print()", "hash": "abc"},
            "state": "failed" if place == 2 else "completed",
        }
        for place in range(3)
    ]
    with pytest.raises(InvalidValue, match=r"runs\[3\].*no field 'vlues'"):
        hs.upload_runs([*bodies, {"vlues": {}}])
    with pytest.raises(InvalidValue, match=r"runs\[0\].values.loss"):
        hs.upload_runs([{"values": {"loss": "low"}}])
    assert log.runs() == []
    uploaded = hs.upload_runs(bodies)
    assert [run.id for run in uploaded] == [run.id for run in log.runs()]
    found = uploaded[2].read()
    assert (found.name, found.assignments, str(found.state)) == ("old 2", {"x": 2}, "failed")
    assert found.values == {"loss": Measurement(2.0, 0.5)}
    assert (found.parameter_sources, found.model, found.source_hash) == ({"x": "Hyperopt"}, "svm", "abc")
    assert log.texts(found.id) == {"stdout": "hello", "source": "print()"}


# Runs of experiments take the same calls


def bowl(**more):
    return hs.create_experiment(
        name="bowl",
        parameters=[{"name": "x", "type": "double", "bounds": {"min": -5, "max": 5}}],
        metrics=[{"name": "loss", "objective": "minimize"}],
        budget=3,
        parallel_bandwidth=2,
        type="random",
        **more,
    )


def test_the_run_of_an_experiment_takes_the_same_calls(log):
    experiment = bowl(metadata={"owner": "Ann"})
    assert not experiment.is_finished()
    for run in experiment.loop(name="try"):
        with run:
            run.params.extra = "more"
            for change in (lambda run=run: run.params.update(x=1), lambda run=run: run.params.pop("x")):
                with pytest.raises(InvalidValue, match="assigned by the experiment"):
                    change()
            run.log_dataset("d")
            run.log_model("svm")
            hs.log_metadata("rows", 3)
            hs.log_metric("loss", run.params.x**2)
            run.log_metric("loss", 0.5, role="production")
            run.log_image(np.zeros((2, 2)))
    assert experiment.is_finished()
    assert (len(experiment.get_runs()), len(experiment.get_best_runs()), len(log.runs())) == (3, 1, 3)
    assert experiment.spec.project == "tests"
    for found in log.runs():
        assert set(found.assignments) == {"x", "extra"}
        assert (found.name, found.datasets, found.model, found.metadata) == (
            "try",
            {"d": {}},
            "svm",
            {"rows": 3},
        )
        assert found.numbers == {"loss": found.assignments["x"] ** 2}
        assert found.late["production"]["loss"][0].value == 0.5
        assert len(log.files(found.id)) == 1


@pytest.mark.parametrize("searcher", ["sobol", "bayesian"])
def test_extra_parameters_do_not_disturb_the_searcher(log, searcher):
    experiment = hs.create_experiment(
        name="bowl",
        parameters=[hs.Double("x", -5, 5), hs.Categorical("kind", ["a", "b"])],
        metrics=[hs.minimize("loss")],
        budget=7,
        searcher=searcher,
    )
    for _ in range(6):
        # Opened anew each time: what an engine knows, it has read from the log.
        run = hs.get_experiment(experiment.id).create_run()
        run.params.extra = "text"
        run.log_metric("loss", run.params.x**2)
        run.end()
    assert hs.get_experiment(experiment.id).create_run().params.keys() == {"x", "kind"}


def test_experiments_can_be_archived(log):
    experiment = bowl()
    hs.archive_experiment(str(experiment.id))
    assert log.experiment(experiment.id).archived
    hs.unarchive_experiment(experiment.id)
    assert not log.experiment(experiment.id).archived


def test_track_names_what_it_knows(log):
    with pytest.raises(InvalidValue, match=r"no adapter knows such objects, got 'builtins.dict'.*optuna"):
        hs.track({})


# docs/tracking.md

DOCS = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL))
def test_what_the_docs_show_works(log, tmp_path, code):
    python(code, tmp_path)
    assert {str(run.state) for run in log.runs()} == {"completed"}


def test_the_docs_name_every_part_and_every_call():
    for part in PARTS:
        assert f"| `{part}` |" in DOCS
    for name in vars(RunRecording):
        if name.startswith(("log_", "set_", "add_")):
            family = {"set_parameter", "set_parameters", "set_parameter_source"}
            hidden = {"log_dev_metadata", "log_sys_metadata"}
            assert name in family | hidden or f"`{name}`" in DOCS, name
