"""The command line: what it prints, its exit codes, its errors."""

import csv
import io
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli import main


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
