"""Tables become runs, and what cannot is named."""

import math

import pytest
from click.testing import CliRunner
from imported import SPEC, table

import heliostat as hs
from heliostat.cli import main
from heliostat.errors import InvalidValue
from heliostat.imports import import_runs
from heliostat.trial import Failure, Measurement, State


def test_a_table_becomes_runs(tmp_path, log):
    path = table(
        tmp_path / "t.csv",
        ["id", "params.lr", "params.act", "params.flag", "params.zip", "metrics.acc", "metrics.acc.stddev",
         "metadata.note", "state", "end_reason", "name", "created", "started", "ended", "tags", "origin"],
        ["1", "1e-3", "relu", "true", "007", "0.9", "0.01",
         "hi", "", "", "one", "2024-01-01T00:00:00Z", "1704067201", "1704067205.5", "a b", "grid"],
        ["2", "0.1", "", "False", "", "", "", "", "failed", "out of memory", "", "", "", "", "", ""],
        ["3", "0.2", "", "", "", "nan", "", "", "Early-Stopped", "", "", "", "", "", '["x y"]', ""],
        [],
    )  # fmt: skip
    assert import_runs("csv", path, project="p", log=log).added == 3
    one, two, three = log.runs()
    assert one.assignments == {"lr": 0.001, "act": "relu", "flag": True, "zip": "007"}
    assert (one.values, one.metadata, one.name) == ({"acc": Measurement(0.9, 0.01)}, {"note": "hi"}, "one")
    assert (one.created, one.seconds, one.tags, one.origin) == (1704067200.0, 4.5, ("a", "b"), "grid")
    assert (two.assignments, two.values, two.origin) == ({"lr": 0.1, "flag": False}, {}, "user")
    assert (two.state, two.failure) == (State.FAILED, Failure("user_error", "out of memory"))
    assert (three.state, three.tags) == (State.EARLY_STOPPED, ("x y",))
    assert math.isnan(three.numbers["acc"])
    assert math.isnan(three.seconds)


def test_a_table_with_plain_columns_is_told_which_is_which(tmp_path, log):
    path = table(tmp_path / "t.csv", ["lr", "loss", "host"], ["0.1", "2", "n1"])
    with pytest.raises(InvalidValue, match=r"\['lr', 'loss', 'host'\].*--params a,b"):
        import_runs("csv", path, log=log)
    with pytest.raises(InvalidValue, match=r"\['host'\]"):
        import_runs("csv", path, params=["lr"], metrics=["loss"], log=log)
    with pytest.raises(InvalidValue, match=r"must be there, got \['los'\].*lr, loss, host"):
        import_runs("csv", path, params=["lr", "host"], metrics=["los"], log=log)
    import_runs("csv", path, params=["lr", "host"], metrics=["loss"], log=log)
    (run,) = log.runs()
    assert (run.assignments, run.numbers) == ({"lr": 0.1, "host": "n1"}, {"loss": 2.0})


def test_a_table_that_grows(tmp_path, log):
    head = ["params.x", "metrics.loss"]
    rows = [["1", "0.5"], ["1", "0.5"], ["2", "0.4"]]
    path = table(tmp_path / "t.csv", head, *rows)
    assert import_runs("csv", path, log=log).added == 3  # the second equal row is a repetition, not a copy
    table(path, head, ["3", "0.1"], *reversed(rows))
    done = import_runs("csv", path, log=log)
    assert (done.added, done.known) == (1, 3)
    (tmp_path / "moved").mkdir()
    assert import_runs("csv", path.rename(tmp_path / "moved" / "t.csv"), log=log).known == 4


def test_rows_with_ids_are_ended_later(tmp_path, log):
    head = ["id", "params.x", "metrics.loss", "state"]
    path = table(tmp_path / "t.csv", head, ["a", "1", "", "running"])
    assert import_runs("csv", path, log=log).added == 1
    table(path, head, ["a", "1", "0.5", "completed"])
    assert import_runs("csv", path, log=log).finished == 1
    assert [(run.state, run.numbers) for run in log.runs()] == [(State.COMPLETED, {"loss": 0.5})]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["params.x", "metrics.a"], ["1", "good"]], "line 2, metrics.a: must be a number, got 'good'"),
        ([["params.x", "state"], ["1", "great"]], "line 2, state"),
        ([["params.x", "created"], ["1", "yesterday"]], "line 2, created"),
        ([["params.x"], ["1", "2"]], "line 2: has 1 columns, got 2"),
        ([["params.x", "params.x"], ["1", "2"]], r"different names, got \['params.x'\]"),
        ([], "columns"),
    ],
)
def test_bad_cells_are_named_and_nothing_is_half_imported(tmp_path, log, rows, told):
    good = [["1"] + [""] * (len(rows[0]) - 1)] if rows else []
    path = table(tmp_path / "t.csv", *rows[:1], *rows[1:], *good)
    with pytest.raises(InvalidValue, match=told):
        import_runs("csv", path, log=log)
    assert log.runs() == []


def test_a_binary_file_is_no_table(tmp_path, log):
    (tmp_path / "t.csv").write_bytes(b"params.x\n\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="is not a CSV file"):
        import_runs("csv", tmp_path / "t.csv", log=log)


def test_semicolons_and_a_byte_order_mark(tmp_path, log):
    (tmp_path / "t.csv").write_bytes("params.x;metrics.b\n1;2\n".encode("utf-8-sig"))
    import_runs("csv", tmp_path / "t.csv", log=log)
    assert log.runs()[0].assignments == {"x": 1}


def test_our_own_export_can_be_imported(tmp_path, log):
    made = hs.Experiment.create({**SPEC, "budget": 4, "searcher": "sobol"}, tmp_path / "a.db")
    for run in made.loop():
        with run:
            if run.number == 2:
                raise ValueError("boom")
            run.log_metric("loss", run["x"] / 3)
    path = tmp_path / "out.csv"
    CliRunner().invoke(
        main,
        ["export", str(made.id), "--csv", "-o", str(path), "--log", str(tmp_path / "a.db")],
        catch_exceptions=False,
    )
    assert import_runs("csv", path, project="p", log=log).added == 4
    for before, after in zip(made.runs(), log.runs(), strict=True):
        assert (after.assignments, after.values, after.state) == (
            before.assignments,
            before.values,
            before.state,
        )
        assert (after.end_reason, after.origin) == (before.end_reason, before.origin)
