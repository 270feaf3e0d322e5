"""The command line: what it prints, its exit codes, its errors."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli import main
from heliostat.trial import Measurement, State
from heliostat.writes import CreateRun, FinishRun, UpdateRun


@pytest.fixture
def log(tmp_path):
    return str(tmp_path / "runs.db")


@pytest.fixture
def experiment(log):
    made = hs.Experiment(
        "bowl",
        project="kitchen",
        parameters=[hs.Double("x", -5, 5), hs.Categorical("<kind>", ["a", "b"])],
        metrics=[hs.minimize("loss"), hs.guardrail("size <= 3")],
        budget=8,
        searcher="sobol",
        log=log,
    )
    for run in made.loop():
        with run:
            if run.number == 2:
                raise ValueError("too\nlong")
            run.log_checkpoint({"loss": 9.0})
            run.log_metrics(loss=run["x"] ** 2, size=abs(run["x"]), note=float("nan"))
    return made


@pytest.fixture
def lone_runs(log):
    """Three runs outside experiments, of different origins; the last one is active."""
    store = hs.open_log(log)
    ids = [
        store.apply(CreateRun(None, {"lr": lr}, time=1.0, project="yard", origin=origin, name=name)).run
        for lr, origin, name in ((0.1, "optuna", "seed run"), (0.2, "hyperopt", ""), (0.3, "user", ""))
    ]
    for place, id in enumerate(ids[:2]):
        values = {"time (s)": Measurement(5.0 - place)}
        store.apply(UpdateRun(id, time=2.0, tags={"best": place == 1}, metadata={"Dataset Rows": 150}))
        store.apply(FinishRun(id, State.COMPLETED, "done", time=3.0, values=values))
    yield store
    store.close()


def table(text):
    """The header and the first cells of the rows of a printed table."""
    header, *rows = text.splitlines()
    return header.split(), [row.split()[0] for row in rows]


def call(*words, code=0):
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def test_ls_counts_runs_by_their_end_and_names_the_best(experiment, log):
    text = call("ls", "--log", log).stdout
    assert text.splitlines()[0].split() == [
        "id",
        "project",
        "name",
        "searcher",
        "budget",
        "done",
        "open",
        "stopped",
        "failed",
        "best",
    ]
    assert text.splitlines()[1].split()[:9] == ["1", "kitchen", "bowl", "sobol", "8", "8", "0", "0", "1"]
    listed = json.loads(call("ls", "--log", log, "--json").stdout)["data"]
    assert (listed[0]["id"], listed[0]["runs"]) == ("1", {"completed": 7, "failed": 1})
    assert call("ls", "--project", "nobody", "--log", log).stdout == "no experiments yet\n"


def test_show_tells_each_run_and_one_run_in_full(experiment, log):
    text = call("show", "1", "--log", log).stdout
    assert "guardrail  size <= 3" in text
    assert text.count("\n") > 8
    assert "failed: user_error" in text
    assert "over guardrail" in text
    one = call("show", "1", "--run", "2", "--log", log).stdout
    assert "Traceback" in one
    assert "ValueError: too" in one
    whole = json.loads(call("show", "1", "--log", log, "--json").stdout)
    assert whole["data"][0]["checkpoints"][0]["values"] == {"loss": 9.0}
    assert whole["data"][0]["values"]["note"]["value"] == "nan"


def test_best_honours_the_guardrail(experiment, log):
    found = json.loads(call("best", "1", "--log", log, "--json").stdout)["data"]
    assert len(found) == 1
    assert found[0]["values"]["size"]["value"] <= 3
    assert str(found[0]["number"]) in call("best", "1", "--log", log).stdout


def test_best_exits_with_3_when_nothing_is_feasible(log):
    hs.Experiment("none", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], log=log)
    done = call("best", "1", "--log", log, code=3)
    assert "no completed run meets all guardrails yet" in done.output


def test_export_writes_csv_json_and_html(experiment, log, tmp_path):
    rows = list(csv.DictReader(io.StringIO(call("export", "1", "--log", log).stdout)))
    assert len(rows) == 8
    assert float(rows[0]["metrics.loss"]) == pytest.approx(float(rows[0]["params.x"]) ** 2)
    assert rows[1]["metrics.loss"] == ""
    assert len(json.loads(call("export", "1", "--json", "--log", log).stdout)["data"]) == 8
    page = tmp_path / "page.html"
    call("export", "1", "--html", "-o", str(page), "--log", log)
    assert "<!doctype html>" in page.read_text()[:100].lower()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "99"], "no experiment has this id, got 99"),
        (["show", "1", "--run", "77"], "has no run 77"),
        (["show", "one"], "is not a valid integer"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_wrong_input_exits_with_2_and_says_what_was_wrong(experiment, log, words, message):
    where = ["--log", log] if words[0] != "frobnicate" else []
    assert message in call(*words, *where, code=2).output


def test_a_missing_log_is_said_and_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("ls", code=2)
    assert "there is no run log at heliostat.db" in done.output
    assert "heliostat demo" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_log_is_refused(tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("dear diary " * 100)
    done = call("ls", "--log", str(path), code=2)
    assert "HS-STORAGE" in done.output
    assert path.read_text().startswith("dear diary")


def test_doctor_finds_everything_here(tmp_path):
    found = json.loads(call("doctor", "--json", "--log", str(tmp_path / "runs.db")).stdout)
    assert {name for name, check in found.items() if not check["ok"]} == set()
    gone = call("doctor", "--json", "--log", str(tmp_path / "no" / "where" / "runs.db"), code=1)
    assert not json.loads(gone.stdout)["run log"]["ok"]


def test_a_closed_pipe_is_no_traceback(experiment, log):
    command = f"{sys.executable} -m heliostat.cli export 1 --json --log {log} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_ls_says_how_many_runs_are_outside_experiments(experiment, lone_runs, log):
    lines = call("ls", "--log", log).stdout.splitlines()
    hint = "heliostat ls runs --where 'experiment is missing'"
    assert lines[-1] == f"3 runs are outside experiments; list with: {hint}"
    assert len(lines) == 3
    assert "outside" not in call("ls", "--project", "kitchen", "--log", log).stdout
    found = table(call("ls", "runs", "--where", "experiment is missing", "--log", log).stdout)
    assert found == (["id", "origin", "name", "state", "params.lr", "metrics.time", "(s)", "seconds"],
                     ["11", "10", "9"])  # fmt: skip


def test_ls_runs_shows_runs_of_every_origin_in_one_table(experiment, lone_runs, log):
    text = call("ls", "runs", "--log", log).stdout
    assert [word in text for word in ("heliostat", "optuna", "hyperopt", "user")] == [True] * 4
    assert len(text.splitlines()) == 12
    assert table(text)[1] == [str(id) for id in range(11, 0, -1)]
    one = call("ls", "runs", "--limit", "1", "--project", "yard", "--log", log).stdout
    assert one.splitlines()[-1] == "1 of 3 runs; for more: --limit N"
    assert table(call("ls", "runs", "--experiment", "1", "--sort", "id", "--log", log).stdout)[1] == [
        str(id) for id in range(1, 9)
    ]


def test_ls_runs_filters_sorts_and_picks_columns(lone_runs, log):
    words = ["ls", "runs", "--sort", "metrics.'time (s)'", "--log", log]
    assert table(call(*words).stdout)[1] == ["2", "1", "3"]
    assert table(call(*words, "--desc").stdout)[1] == ["1", "2", "3"]
    picked = call(*words, "--columns", 'id,tags,metadata."Dataset Rows",created', "--where", "tag = best")
    assert picked.stdout.splitlines()[0].split() == ["id", "tags", "metadata.'Dataset", "Rows'", "created"]
    assert table(picked.stdout)[1] == ["2"]
    listed = json.loads(call(*words, "--json", "--where", "not tag = best", "--limit", "1").stdout)
    assert (listed["count"], [run["id"] for run in listed["data"]]) == (2, ["1"])
    assert listed["data"][0]["metadata"] == {"Dataset Rows": 150}
    assert (listed["data"][0]["name"], listed["data"][0]["deleted"]) == ("seed run", False)
    assert call("ls", "runs", "--where", "id > 99", "--log", log).stdout == "no such runs\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--where", "stat = 3"], "at character 1 (stat)"),
        (["--columns", "id,,state"], "columns: at character 4 (,)"),
        (["--sort", "id,state"], "sorted by one field"),
        (["--limit", "-1"], "--limit"),
        (["--follow", "--json"], "--follow draws a table"),
    ],
)
def test_ls_runs_says_what_was_wrong(lone_runs, log, words, message):
    assert message in call("ls", "runs", *words, "--log", log, code=2).output


def test_ls_runs_fits_the_terminal(log):
    store = hs.open_log(log)
    for number in range(2):
        given = {f"constant {place}": "c" * 60 for place in range(5)} | {"varied": number}
        run = store.apply(CreateRun(None, given, time=1.0)).run
        store.apply(FinishRun(run, State.COMPLETED, "", time=2.0, values={"loss": Measurement(0.5)}))
    store.close()
    lines = on_terminal(["ls", "runs", "--log", log], columns=70)
    assert max(map(len, lines)) <= 70
    assert lines[0].split()[:5] == ["id", "origin", "state", "params.varied", "metrics.loss"]
    assert lines[-1].startswith("--columns shows also: params.constant 0")


def test_ls_runs_follows_what_happens_until_interrupted(lone_runs, log):
    command = [sys.executable, "-m", "heliostat.cli", "ls", "runs", "--follow", "--log", log]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if line.startswith(" 1  optuna"))
    values = {"time (s)": Measurement(7.25)}
    lone_runs.apply(FinishRun(3, State.COMPLETED, "done", time=4.0, values=values))
    assert next(line for line in lines if line.startswith(" 3  user") and "7.25" in line)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    process.stdout.close()


def test_export_writes_runs_that_no_experiment_has(experiment, lone_runs, log, tmp_path):
    import pandas as pd

    rows = list(csv.DictReader(io.StringIO(call("export", "--project", "yard", "--log", log).stdout)))
    assert [row["origin"] for row in rows] == ["optuna", "hyperopt", "user"]
    assert [row["metrics.time (s)"] for row in rows] == ["5.0", "4.0", ""]
    assert [row["metadata.Dataset Rows"] for row in rows] == ["150", "150", ""]
    path = tmp_path / "runs.parquet"
    call("export", "--where", "tag = best", "--parquet", "-o", str(path), "--log", log)
    assert pd.read_parquet(path)["metrics.time (s)"].tolist() == [4.0]
    listed = json.loads(call("export", "--json", "--where", "origin = user", "--log", log).stdout)
    assert [run["id"] for run in listed["data"]] == ["11"]
    assert (
        len(list(csv.reader(io.StringIO(call("export", "1", "--where", "id < 3", "--log", log).stdout)))) == 3
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name an experiment"),
        (["--html", "--project", "yard"], "about one whole experiment"),
        (["99"], "no experiment has this id, got 99"),
    ],
)
def test_export_says_what_was_wrong(lone_runs, log, words, message):
    assert message in call("export", *words, "--log", log, code=2).output


def test_values_that_json_does_not_know_are_written_as_texts(log):
    store = hs.open_log(log)
    store.apply(CreateRun(None, {"x": float("inf")}, time=1.0, metadata={"a": [float("nan")]}))
    store.close()
    run = json.loads(call("ls", "runs", "--json", "--log", log).stdout)["data"][0]
    assert (run["assignments"], run["metadata"]) == ({"x": "inf"}, {"a": ["nan"]})


def on_terminal(words, columns):
    """The lines that a command prints on a terminal of this width."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "24"}
    command = [sys.executable, "-m", "heliostat.cli", *words]
    process = subprocess.Popen(command, stdout=theirs, env=environment)
    os.close(theirs)
    text, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        text += part
    os.close(ours)
    assert process.wait(60) == 0
    return text.decode().replace("\r", "").splitlines()
