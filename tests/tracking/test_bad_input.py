"""Bad input: a defined outcome for each, as in docs/tracking.md."""

import math

import numpy as np
import pytest

import heliostat as hs
from heliostat.errors import Conflict, InvalidValue, NotFound
from heliostat.testing.programs import only, ran
from heliostat.tracking.run_context import RunContext
from heliostat.trial import State

NAN, INFINITY = float("nan"), float("inf")


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
    done = ran(
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
