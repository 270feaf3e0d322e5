"""``heliostat report``, ``figure`` and ``watch``."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import heliostat as hs
from heliostat.cli.main import main


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("looking") / "runs.db"
    experiment = hs.Experiment(
        "bowl",
        parameters=[hs.Double("x", -5, 5), hs.Double("y", -5, 5)],
        metrics=[hs.minimize("loss"), hs.guardrail("latency_ms", at_most=15)],
        budget=8,
        searcher="sobol",
        log=path,
    )
    for run in experiment.loop():
        run.log_metric("loss", (run["x"] - 1) ** 2 + (run["y"] + 2) ** 2)
        run.log_metric("latency_ms", 3 + 4 * abs(run["x"]))
    return path


def heliostat(*words, log):
    return CliRunner().invoke(main, [*map(str, words), "--log", str(log)])


def test_report_has_two_forms_and_two_readers(log, tmp_path):
    whole = heliostat("report", 1, "--format", "markdown", "--title", "Bowls", "--comment", "Mine.", log=log)
    assert whole.output.startswith("# Bowls\n\nMine.\n")
    assert "**Sensitivity**" in whole.output
    target = tmp_path / "m.html"
    done = heliostat("report", 1, "--metrics", "-o", target, log=log)
    assert done.exit_code == 0, done.output
    assert "The answer: <strong>ready" in target.read_text(encoding="utf-8")


def test_a_frozen_report_is_kept_in_the_log(log):
    frozen = heliostat("report", 1, "--freeze", "--title", "Then", "--comment", "As it was.", log=log)
    assert (frozen.exit_code, frozen.stdout) == (0, "")
    assert "report 1" in frozen.stderr
    kept = hs.open_log(log)
    (record,) = kept.reports(1)
    assert (record.title, record.comment, record.kind) == ("Then", "As it was.", "report")
    assert b"As it was." in gzip.decompress(kept.report(record.id)[1])
    kept.close()


def test_report_of_nothing_says_so(log):
    assert heliostat("report", 9, log=log).exit_code == 2
    assert heliostat("report", 1, "-o", "/no/such/folder/r.html", log=log).exit_code == 1


def test_figure_lists_and_writes(log, tmp_path):
    listed = heliostat("figure", 1, log=log).output
    assert "best-so-far" in listed
    assert "cross-validation" in listed
    figure = json.loads(heliostat("figure", 1, "histogram", log=log).stdout)
    assert {"data", "layout"} == set(figure)
    for name in ("f.json", "f.svg", "f.html"):
        assert heliostat("figure", 1, "best-so-far", "-o", tmp_path / name, log=log).exit_code == 0
        assert (tmp_path / name).stat().st_size > 1000
    assert "It appears" in heliostat("figure", 1, "transfer", log=log).output
    assert heliostat("figure", 1, "nonsense", log=log).exit_code == 2
    assert heliostat("figure", 1, "histogram", "-o", "f.png", log=log).exit_code == 2


def test_watch_of_an_ended_experiment_prints_one_line(log):
    done = heliostat("watch", 1, log=log)
    assert done.exit_code == 0
    assert done.output.startswith("used 8/8  best loss ")
    assert done.output.count("\n") == 1


def test_watch_follows_and_leaves_clean_at_ctrl_c(tmp_path):
    path = tmp_path / "runs.db"
    experiment = hs.Experiment(
        "line",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.maximize("score")],
        budget=3,
        searcher="sobol",
        log=path,
    )
    words = [sys.executable, "-m", "heliostat.cli", "watch", "1", "--every", "0.1", "--log", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout.readline().startswith("used 0/3  no best score yet")
        run = experiment.ask()
        experiment.tell(run, {"score": 0.5})
        deadline = time.monotonic() + 60
        line = ""
        while "best score 0.5 (run 1)" not in line and time.monotonic() < deadline:
            line = watcher.stdout.readline()
        assert line.startswith("used 1/3")
        watcher.send_signal(signal.SIGINT)
        _, errors = watcher.communicate(timeout=60)
        assert watcher.returncode == 0
        assert "Traceback" not in errors


COSTS = {"tenth": 0.1, "full": 1}


def test_lists_say_what_is_best_for_each_kind_of_search(tmp_path):
    path, x = tmp_path / "kinds.db", [hs.Double("x", 0, 1)]
    kinds = {
        "region": {"metrics": [hs.guardrail("a", at_most=2)]},
        "hills": {"metrics": [hs.minimize("a")], "num_solutions": 2},
        "front": {"metrics": [hs.minimize("a"), hs.maximize("b")]},
        "tasks": {
            "metrics": [hs.minimize("a")],
            "tasks": [{"name": name, "cost": cost} for name, cost in COSTS.items()],
        },
    }
    for name, fields in kinds.items():
        experiment = hs.Experiment(name, parameters=x, budget=9, log=path, **fields)
        task = {"task": "tenth"} if name == "tasks" else {}
        for place in (0.0, 0.4, 0.9):
            experiment.add({"x": place}, {"a": place, "b": place}, **task)
    lines = heliostat("ls", log=path).output
    assert "3 within all limits" in lines
    assert "; 2 solutions)" in lines
    assert "; front of 3)" in lines
    assert "tenth" in heliostat("show", 4, log=path).output
