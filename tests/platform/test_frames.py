"""Runs as data frames, CSV and Parquet, and back into the log."""

import csv
import io
import math

import pandas as pd
import pytest

from heliostat import frames
from heliostat.errors import InvalidValue, NotFound
from heliostat.query import FACTS
from heliostat.registry import open_log
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import CreateExperiment, CreateRun, FinishRun, LogCheckpoints, StartRun, UpdateRun

SPEC = {
    "name": "bowl",
    "project": "kitchen",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": ["loss"],
}
ODD = [1, 2.5, "adam", "3", "true", "", True, 2**60, 2**70, [1, 2], {"a": None}, math.inf, "nan", '"q"',
       "a\nb,c;", "[1]", " 7 ", "\ud800", "1_000", "雪", "=1+1", "-x", "+", "@a"]  # fmt: skip


@pytest.fixture
def log(tmp_path):
    log = open_log(tmp_path / "runs.db")
    yield log
    log.close()


@pytest.fixture
def filled(log):
    """Two runs of an experiment and one outside, of different origins."""
    experiment = log.apply(CreateExperiment(SPEC, time=1.0)).experiment
    for number in (1, 2):
        assignments = {"x": number / 7, "depth": number, "kind": "tree", "augment": number == 1}
        run = log.apply(CreateRun(experiment, assignments, time=10.25, metadata={"rows": 150})).run
        log.apply(StartRun(run, time=11.0))
        log.apply(
            LogCheckpoints(run, (Checkpoint(1, {"loss": 0.9}, 11.5), Checkpoint(2, {"loss": 0.8}, 12.0)))
        )
        values = {"loss": Measurement(0.1 * number, 0.01)}
        log.apply(FinishRun(run, State.COMPLETED, "finished", time=13.5, values=values))
    lone = log.apply(CreateRun(None, {"x": 0.5, "depth": 3}, time=20.0, project="yard", origin="optuna")).run
    log.apply(UpdateRun(lone, time=21.0, tags={"best": True, "a, b": True}, name="seed", model="XGB"))
    log.apply(UpdateRun(lone, time=21.0, favorite=True))
    log.apply(FinishRun(lone, State.FAILED, "raised", time=21.0, failure=Failure("user_error", "raised")))
    return log


def test_columns_have_the_type_of_their_values(filled):
    frame = frames.runs(log=filled)
    assert list(frame.columns[: len(FACTS)]) == list(FACTS)
    assert {name: str(kind) for name, kind in frame.dtypes.items() if "." in name} == {
        "params.augment": "boolean",
        "params.depth": "int64",
        "params.kind": "str",
        "params.x": "float64",
        "metrics.loss": "float64",
        "metrics.loss.stddev": "float64",
        "metadata.rows": "Int64",
    }
    assert frame["experiment"].tolist() == [1, 1, pd.NA]
    assert frame["number"].tolist() == [1, 2, pd.NA]
    assert frame["seconds"][0] == 2.5
    assert frame["created"][0] == pd.Timestamp(10.25, unit="s", tz="UTC")
    assert frame["started"].isna().tolist() == [False, False, True]
    assert frame["origin"].tolist() == ["heliostat", "heliostat", "optuna"]
    assert frame["failure"].isna().tolist() == [True, True, False]
    assert frame["tags"][2] == ("a, b", "best")
    assert frame["params.x"].tolist() == [1 / 7, 2 / 7, 0.5]


def test_types_of_facts_do_not_depend_on_what_is_there(log, filled):
    lone = frames.runs("experiment is missing", log=filled)
    every = frames.runs(log=filled)
    assert {name: lone[name].dtype for name in FACTS} == {name: every[name].dtype for name in FACTS}


def test_a_condition_an_order_and_a_place_choose_the_rows(filled):
    assert frames.runs("metrics.loss < 0.15", log=filled)["id"].tolist() == [1]
    assert frames.runs(sort="params.depth", ascending=False, log=filled)["id"].tolist() == [3, 2, 1]
    assert frames.runs(project="yard", log=filled)["id"].tolist() == [3]
    assert frames.runs("state = completed", experiment=1, log=filled.url)["id"].tolist() == [1, 2]
    assert len(frames.runs("id > 99", log=filled)) == 0
    filled.apply(UpdateRun(2, time=30.0, archived=True))
    assert frames.runs(log=filled)["id"].tolist() == [1, 3]
    assert frames.runs(archived=True, log=filled)["id"].tolist() == [1, 2, 3]
    with pytest.raises(InvalidValue, match="at character 1"):
        frames.runs("los < 3", log=filled)


def test_curves_are_a_long_frame(filled, monkeypatch):
    expected = [(1, 1, 0.9), (1, 2, 0.8), (2, 1, 0.9), (2, 2, 0.8)]
    for few in (50, 1):
        monkeypatch.setattr("heliostat.frames.reading.FEW", few)
        frame = frames.curves("state = completed", log=filled)
        assert list(frame.columns) == ["run", "step", "time", "metric", "value"]
        assert list(zip(frame["run"], frame["step"], frame["value"], strict=True)) == expected
        assert frame["time"][0] == pd.Timestamp(11.5, unit="s", tz="UTC")
    assert len(frames.curves(log=filled)) == 4
    assert len(frames.curves(project="yard", log=filled)) == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files_hold_everything(log, tmp_path, form):
    for place, value in enumerate(ODD):
        given = {"mixed": value, "even": place} if place % 2 else {"third": place / 3, "text": f"t{place}"}
        run = log.apply(
            CreateRun(None, given, time=1.5, metadata={"m": value, "k": "v"}, name=str(place))
        ).run
        values = {"loss (s)": Measurement(math.nan if place % 3 else place / 7, 0.1 if place % 5 else None)}
        log.apply(UpdateRun(run, time=2.0, tags={"a,b": place % 2 == 0}, values={} if place == 4 else values))
    runs = log.runs()
    path = tmp_path / f"runs.{form}"
    write, read = (
        (frames.to_csv, frames.from_csv) if form == "csv" else (frames.to_parquet, frames.from_parquet)
    )
    write(runs, path)
    back, direct = read(path), frames.runs(log=log)
    assert set(back.columns) == set(direct.columns)
    for name in direct.columns:
        assert back[name].dtype == direct[name].dtype, name
        assert [*map(repr, back[name])] == [*map(repr, direct[name])], name
    assert path.stat().st_mode & 0o777 == 0o644


def test_files_keep_missing_apart_from_nan(log, tmp_path):
    import pyarrow.parquet as pq

    for values in ({"loss": Measurement(math.nan)}, {}):
        run = log.apply(CreateRun(None, {}, time=1.0)).run
        log.apply(UpdateRun(run, time=1.0, values=values))
    frames.to_parquet(log.runs(), tmp_path / "runs.parquet")
    column = pq.ParquetFile(tmp_path / "runs.parquet").read().column("metrics.loss")
    assert (column.null_count, str(column[0].as_py())) == (1, "nan")
    lines = frames.csv_text(log.runs()).splitlines()
    place = lines[0].split(",").index("metrics.loss")
    assert [line.split(",")[place] for line in lines[1:]] == ["nan", ""]


def test_a23_no_spreadsheet_runs_a_cell(log):
    """A23 of the attack cases; what is defused is read back as it was by the test above."""
    texts = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")']
    for text in texts:
        log.apply(CreateRun(None, {"x": text}, time=1.0, name=text, metadata={"note": text}))
    _, *rows = csv.reader(io.StringIO(frames.csv_text(log.runs())))
    cells = [
        cell
        for row in rows
        for cell in row
        if any(text in cell for text in ("=1", "cmd", "2+3", "SUM", "HYP"))
    ]
    assert len(cells) >= 3 * len(texts)
    assert {cell[0] for cell in cells} == {'"'}


def test_other_programs_read_the_files(filled, tmp_path):
    frames.to_csv(filled.runs(), tmp_path / "runs.csv")
    frames.to_parquet(filled.runs(), tmp_path / "runs.parquet")
    expected = frames.runs(log=filled)
    for read in (pd.read_csv(tmp_path / "runs.csv"), pd.read_parquet(tmp_path / "runs.parquet")):
        for name in ("id", "params.x", "params.depth", "metrics.loss", "state"):
            assert read[name].tolist() == pytest.approx(expected[name].tolist(), nan_ok=True) or (
                read[name].tolist() == expected[name].tolist()
            )


def test_a_frame_that_came_out_goes_in_again(filled, tmp_path):
    out = frames.runs(log=filled)
    other = open_log(tmp_path / "other.db")
    ids = frames.log_frame(out.drop(columns=["experiment"]), log=other)
    again = frames.runs(log=other)
    assert again["id"].tolist() == ids
    same = [name for name in out.columns if name not in ("id", "experiment", "number")]
    pd.testing.assert_frame_equal(again[same], out[same])
    other.close()


def test_rows_become_completed_runs(log):
    experiment = log.apply(CreateExperiment(SPEC, time=1.0)).experiment
    frame = pd.DataFrame({"lr": [0.1, None], "layers": [2, 3], "acc": [0.9, 0.8], "who": ["ada", None]})
    told = {"params": ["lr", "layers"], "metrics": ["acc"], "metadata": ["who"]}
    ids = frames.log_frame(frame, origin="excel", experiment=experiment, log=log, clock=lambda: 5.0, **told)
    first, second = log.runs(experiment)
    assert ids == [first.id, second.id]
    assert (first.state, first.origin, first.number) == (State.COMPLETED, "excel", 1)
    assert (first.created, first.ended, first.end_reason) == (5.0, 5.0, "recorded from a data frame")
    assert (dict(first.assignments), dict(second.assignments)) == ({"lr": 0.1, "layers": 2}, {"layers": 3})
    assert (first.numbers, first.metadata, second.metadata) == ({"acc": 0.9}, {"who": "ada"}, {})


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"lr": [1]}, {}, "or be listed, got ['lr']"),
        ({"params.x": [1]}, {"metrics": ["acc"]}, "columns that are listed, got ['acc']"),
        ({"metrics.acc": [1.0, "high"]}, {}, "row 1, column metrics.acc"),
        ({"params.x": [1], "state": ["active"]}, {}, "frame.state != 'active'"),
        ({"metrics.a": [1.0], "metrics.a.stddev": [-1.0]}, {}, "must not be negative"),
    ],
)
def test_a_bad_frame_is_refused_whole(log, frame, options, message):
    with pytest.raises(InvalidValue) as caught:
        frames.log_frame(pd.DataFrame(frame), log=log, **options)
    assert message in str(caught.value)
    assert log.runs() == []


def test_two_columns_of_one_name_and_an_unknown_experiment(log):
    frame = pd.DataFrame([[1, 2]], columns=["params.x", "params.x"])
    with pytest.raises(InvalidValue, match="names of their own"):
        frames.log_frame(frame, log=log)
    with pytest.raises(NotFound):
        frames.log_frame(frame.iloc[:, :1], experiment=9, log=log)
