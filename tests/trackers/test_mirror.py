"""The mirror, against the official MLflow server: all arrives, each run once, whatever is killed or away."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from heliostat.cli import main
from heliostat.errors import Conflict, InvalidValue
from heliostat.registry import open_log
from heliostat.testing.browser import watched_page
from heliostat.testing.postgres import server_programs, shared_server
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import (
    AddFile,
    ChangeExperiment,
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    LogLateValues,
    LogText,
    RetryRun,
    StartRun,
    UpdateRun,
)
from heliostat_trackers.mlflow import ServerAway, ServerRefused, mirror, start_mirror

sys.path.insert(0, str(Path(__file__).parent))
from mlflow_server import Proxy, free_port, mlflow_server, needs_server, own_server, until

__all__ = ["mlflow_server", "own_server"]

pytestmark = needs_server

SYNC = [sys.executable, "-m", "heliostat.cli", "mlflow", "sync"]
TIME_METRIC = "training and validation time (s)"
SPEC = {
    "name": "digits",
    "project": "mirrors",
    "parameters": [
        {"name": "lr", "type": "double", "bounds": {"min": 0.0, "max": 1.0}},
        {"name": "layers[0]", "type": "int", "bounds": {"min": 1, "max": 64}},
    ],
    "metrics": [{"name": "accuracy"}, {"name": TIME_METRIC, "objective": "minimize", "strategy": "store"}],
    "budget": 100,
}
BORN = 1_700_000_000.0


@pytest.fixture
def log(log_url):
    log = open_log(log_url)
    yield log
    log.close()


@pytest.fixture
def experiment(log):
    return log.apply(CreateExperiment(SPEC, time=BORN)).experiment


def create(log, experiment, **facts):
    return log.apply(CreateRun(experiment, {"lr": 0.1, "layers[0]": 7}, time=BORN + 1, **facts)).run


def finish(log, run, value=0.9, state=State.COMPLETED, time=BORN + 60):
    values = {"accuracy": Measurement(value)} if state is State.COMPLETED else {}
    return log.apply(FinishRun(run, state, "finished", time=time, values=values))


def points(first, last, shift=0.0):
    return tuple(Checkpoint(step, {"loss": 1 / step + shift}, BORN + step) for step in range(first, last + 1))


def only(found):
    (one,) = found
    return one


def test_a_run_arrives_whole(log, experiment, mlflow_server):
    """Each kind of fact is where MLflow's pages look for it."""
    run = create(
        log,
        experiment,
        origin="optuna",
        searcher="tpe",
        why="far from others",
        user="ann",
        metadata={"rows": 7},
    )
    log.apply(StartRun(run, time=BORN + 2))
    log.apply(LogCheckpoints(run, points(1, 10)))
    facts = {"name": "the good one", "model": "XGBClassifier", "source_hash": "abc", "note": "*look*"}
    command = {"command": "python /there/train.py --fast", "git.branch": "main", "git.dirty": True}
    log.apply(UpdateRun(run, time=BORN + 20, **facts, tags={"nightly": True}, favorite=True))
    log.apply(UpdateRun(run, time=BORN + 20, metadata={"pipeline name": "p1", "columns": ["a", "b"]}))
    log.apply(UpdateRun(run, time=BORN + 20, dev_metadata=command))
    log.apply(UpdateRun(run, time=BORN + 20, datasets={"digits": {"rows": 1797, "digest": "d1"}}))
    log.apply(LogText(run, "stdout", "hello\n", time=BORN + 21))
    log.apply(LogText(run, "source", "print('hello')\n", time=BORN + 21))
    log.apply(AddFile(run, "a picture", b"PNG", time=BORN + 22, content_type="image/png", filename="roc.png"))
    log.apply(
        LogLateValues(run, "production", {"clicks": Measurement(0.2, 0.01)}, at=BORN + 9e5, time=BORN + 9e5)
    )
    values = {"accuracy": Measurement(0.9, 0.02), TIME_METRIC: Measurement(12.5)}
    log.apply(FinishRun(run, State.COMPLETED, "finished", time=BORN + 60, values=values))
    assert mirror(log, mlflow_server.url).runs == 1

    ((name, shelf),) = mlflow_server.experiments(log.identity).items()
    assert name.startswith(f"mirrors / digits ({experiment})")
    told = {item["key"]: item["value"] for item in shelf["tags"]}
    assert json.loads(told["heliostat.declaration"])["budget"] == 100
    assert "maximize **accuracy**" in told["mlflow.note.content"]
    found = only(mlflow_server.runs(log.identity))
    assert (found.name, found.status) == ("the good one", "FINISHED")
    assert (found.start, found.end) == (int(BORN * 1000) + 2000, int(BORN * 1000) + 60_000)
    assert found.params == {"lr": "0.1", "layers_0_": "7"}
    escaped = "training and validation time _s_"
    assert found.metrics == {
        "accuracy": 0.9, "accuracy.stddev": 0.02, escaped: 12.5, "loss": 0.1,
        "production/clicks": 0.2, "production/clicks.stddev": 0.01,
    }  # fmt: skip
    expected = {
        "heliostat.run": f"{log.identity}/{run}",
        "heliostat.experiment": str(experiment),
        "heliostat.trial": "1",
        "heliostat.origin": "optuna",
        "heliostat.searcher": "tpe",
        "heliostat.state": "completed",
        "heliostat.end_reason": "finished",
        "heliostat.attempt": "1",
        "heliostat.model": "XGBClassifier",
        "heliostat.tag.nightly": "true",
        "heliostat.favorite": "true",
        "mlflow.user": "ann",
        "mlflow.source.name": "train.py",
        "mlflow.source.git.commit": "abc",
        "mlflow.source.git.branch": "main",
        "mlflow.note.content": "*look*",
        "pipeline name": "p1",
        "rows": "7",
        "columns": '["a", "b"]',
    }
    assert {key: found.tags.get(key) for key in expected} == expected
    names = json.loads(found.tags["heliostat.names"])
    assert names == {"params": {"layers[0]": "layers_0_"}, "metrics": {TIME_METRIC: escaped}}
    assert [(data["name"], data["digest"]) for data in found.datasets] == [("digits", "d1")]
    history = mlflow_server.history(found, "loss")
    assert history == [(step, 1 / step, int((BORN + step) * 1000)) for step in range(1, 11)]
    assert mlflow_server.history(found, "production/clicks") == [(0, 0.2, int((BORN + 9e5) * 1000))]
    paths = ["files/roc.png", "heliostat/run.json", "logs/stdout.txt", "source/train.py"]
    assert mlflow_server.artifacts(found) == paths
    assert mlflow_server.artifact(found, "files/roc.png") == b"PNG"
    whole = json.loads(mlflow_server.artifact(found, "heliostat/run.json"))
    assert whole["assignments"] == {"lr": 0.1, "layers[0]": 7}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (State.COMPLETED, "FINISHED"), (State.EARLY_STOPPED, "KILLED"), (State.FAILED, "FAILED"),
        (State.LOST, "FAILED"), (State.CANCELLED, "KILLED"), (State.ACTIVE, "RUNNING"),
    ],
)  # fmt: skip
def test_every_end_has_its_status(log, experiment, mlflow_server, state, status):
    run = create(log, experiment)
    if state is not State.ACTIVE:
        failure = Failure("user_error", "boom", "Traceback …") if state is State.FAILED else None
        log.apply(FinishRun(run, state, "because", time=BORN + 60, failure=failure))
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert (found.status, found.tags["heliostat.state"]) == (status, str(state))
    assert found.tags.get("heliostat.failure") == ("user_error: boom" if state is State.FAILED else None)


def test_odd_input_arrives_or_is_told(log, mlflow_server):
    """What MLflow cannot hold is said in a tag, whole in run.json, and stops nothing."""
    given = {"": 1, "a=b": True, "../up": None, "漢字 ü": "\x00\ud800", "🙂": "x", "/abs": 0.1 + 0.2}
    given |= {"long": "y" * 10**6, "n" * 400: 1, "empty": "", "clash(": 1, "clash_": 2}
    run = log.apply(CreateRun(None, given, time=BORN, project="odd")).run
    curve = (Checkpoint(1, {"loss": 1.0}, BORN), Checkpoint(2, {"loss": float("nan")}, BORN + 1))
    log.apply(LogCheckpoints(run, curve))
    values = {
        "inf": Measurement(float("inf")),
        "loss.stddev": Measurement(3.0),
        "loss": Measurement(1.0, 0.5),
    }
    metadata = {"mlflow.parentRunId": "abc", "heliostat.run": "no", "huge": "z" * 20_000}
    log.apply(UpdateRun(run, time=BORN + 2, metadata=metadata, values=values))
    log.apply(FinishRun(run, State.COMPLETED, "x", time=BORN + 3))
    assert mirror(log, mlflow_server.url).refused == {}
    found = only(mlflow_server.runs(log.identity))
    assert found.params["a_b"] == "True"
    assert found.params["long"].endswith("(1000000 characters; the whole is in heliostat/run.json)")
    assert len(found.params) == len(given)
    assert found.params["clash_"] == "2"
    assert found.metrics == {"loss": 1.0, "loss.stddev": 3.0}
    odd = json.loads(found.tags["heliostat.nonfinite"])
    assert odd == {"loss": "not finite at step 2", "inf": "inf"}
    assert "mlflow.parentRunId" not in found.tags
    assert found.tags["metadata.mlflow.parentRunId"] == "abc"
    assert found.tags["huge"].endswith("(20000 characters; the whole is in heliostat/run.json)")
    whole = json.loads(mlflow_server.artifact(found, "heliostat/run.json"))
    assert whole["metadata"]["huge"] == "z" * 20_000
    assert whole["values"]["inf"]["value"] == "inf"


def test_ten_thousand_params_and_points(log, mlflow_server):
    """More than one request takes."""
    run = log.apply(CreateRun(None, {f"p{index}": index for index in range(1000)}, time=BORN)).run
    log.apply(LogCheckpoints(run, points(1, 10_000)))
    finish(log, run)
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert len(found.params) == 1000
    assert len(mlflow_server.history(found, "loss")) == 10_000


def test_a_run_is_followed_while_it_lives(log, experiment, mlflow_server):
    """Points come once, changes replace, what was removed goes; the same MLflow run all along."""
    run = create(log, experiment, metadata={"gone": 1, "stays": 1})
    log.apply(LogCheckpoints(run, points(1, 3)))
    mirror(log, mlflow_server.url)
    first = only(mlflow_server.runs(log.identity))
    log.apply(LogCheckpoints(run, points(4, 6)))
    log.apply(UpdateRun(run, time=BORN + 7, metadata={"gone": None, "stays": 2}, tags={"a": True, "b": True}))
    mirror(log, mlflow_server.url)
    log.apply(UpdateRun(run, time=BORN + 8, tags={"a": False}, values={"loss": Measurement(0.05)}))
    finish(log, run)
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert found.id == first.id
    steps = [step for step, _, _ in mlflow_server.history(found, "loss")]
    assert steps == [1, 2, 3, 4, 5, 6, 6]  # the last is the reported final value, which the table must show
    assert (found.metrics["loss"], found.metrics["accuracy"]) == (0.05, 0.9)
    assert "gone" not in found.tags
    assert found.tags["stays"] == "2"
    assert "heliostat.tag.a" not in found.tags
    assert found.tags["heliostat.tag.b"] == "true"


def test_a_lost_attempt_leaves_no_points(log, experiment, mlflow_server):
    """MLflow deletes no points, so the next attempt of a run is a new MLflow run in the old one's place."""
    run = create(log, experiment)
    log.apply(LogCheckpoints(run, points(1, 5)))
    mirror(log, mlflow_server.url)
    log.apply(RetryRun(run, "node died", time=BORN + 6))
    log.apply(LogCheckpoints(run, points(1, 2, shift=1.0)))
    finish(log, run)
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert found.tags["heliostat.attempt"] == "2"
    assert [value for _, value, _ in mlflow_server.history(found, "loss")] == [2.0, 1.5]
    both = mlflow_server.runs(log.identity, view="ALL")
    assert [old.stage for old in both if old.id != found.id] == ["deleted"]


def test_a_changed_param_is_changed(log, mlflow_server):
    """MLflow keeps the first value of a param for ever; the mirror does not."""
    run = log.apply(CreateRun(None, {"depth": 3}, time=BORN)).run
    mirror(log, mlflow_server.url)
    log.apply(UpdateRun(run, time=BORN + 1, assignments={"depth": 5}))
    mirror(log, mlflow_server.url)
    assert only(mlflow_server.runs(log.identity)).params == {"depth": "5"}


def test_archived_runs_go_and_come_back(log, experiment, mlflow_server):
    run = create(log, experiment)
    finish(log, run)
    mirror(log, mlflow_server.url)
    first = only(mlflow_server.runs(log.identity))
    log.apply(UpdateRun(run, time=BORN + 70, archived=True))
    mirror(log, mlflow_server.url)
    assert mlflow_server.runs(log.identity) == []
    log.apply(UpdateRun(run, time=BORN + 71, archived=False, note="back"))
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert (found.id, found.tags["mlflow.note.content"]) == (first.id, "back")


def test_what_people_delete_in_mlflow_stays_deleted(log, experiment, mlflow_server):
    runs = [create(log, experiment) for _ in range(2)]
    mirror(log, mlflow_server.url)
    mlflow_server.ask("runs/delete", run_id=mlflow_server.runs(log.identity)[0].id)
    for run in runs:
        finish(log, run)
    assert mirror(log, mlflow_server.url).refused == {}
    assert only(mlflow_server.runs(log.identity)).run == runs[1]


def test_experiments_have_names_of_their_own(log, log_url, tmp_path, mlflow_server):
    """Two logs with an experiment of the same name and number do not meet; a change of the name follows."""
    logs = [log, open_log(tmp_path / "other.db")]
    for each in logs:
        experiment = each.apply(CreateExperiment(SPEC, time=BORN)).experiment
        create(each, experiment)
        log_outside = each.apply(CreateRun(None, {}, time=BORN, project="mirrors")).run
        assert mirror(each, mlflow_server.url).runs == 2
        assert sorted(run.run for run in mlflow_server.runs(each.identity)) == [1, log_outside]
    changed = {**SPEC, "name": "letters"}
    logs[1].apply(ChangeExperiment(experiment, changed, time=BORN + 1))
    mirror(logs[1], mlflow_server.url)
    names = list(mlflow_server.experiments(logs[1].identity))
    assert any(name.startswith("mirrors / letters (1)") for name in names)
    assert any(name.startswith("mirrors [") or name == "mirrors" for name in names)
    logs[1].close()


def test_only_one_project(log, mlflow_server):
    for project in ("mine", "theirs"):
        log.apply(CreateRun(None, {}, time=BORN, project=project))
    assert mirror(log, mlflow_server.url, project="mine").runs == 1
    assert only(mlflow_server.runs(log.identity)).tags["heliostat.project"] == "mine"
    assert mirror(log, mlflow_server.url).runs == 2
    assert len(mlflow_server.runs(log.identity)) == 2


def test_mirroring_again_does_nothing_again(log, experiment, mlflow_server):
    """Where the mirror stands is in MLflow; without that tag, all is compared, and nothing is doubled."""
    for _ in range(30):
        finish(log, create(log, experiment))
    assert mirror(log, mlflow_server.url).runs == 30
    before = {run.id: run.tags for run in mlflow_server.runs(log.identity)}
    assert mirror(log, mlflow_server.url).runs == 0
    shelf = only(mlflow_server.experiments(log.identity).values())
    mlflow_server.ask(
        "experiments/set-experiment-tag",
        experiment_id=shelf["experiment_id"],
        key="heliostat.mirrored",
        value="0 0",
    )
    assert mirror(log, mlflow_server.url).runs == 30
    assert {run.id: run.tags for run in mlflow_server.runs(log.identity)} == before


@pytest.mark.parametrize("lost", ["runs/create", "experiments/create", "runs/log-batch", "runs/update"])
def test_a_lost_answer_makes_nothing_twice(log, experiment, mlflow_server, lost):
    """The server did it, and its answer was lost."""
    hidden = []

    def spoil(path):
        if path.endswith(lost) and len(hidden) < 2:
            hidden.append(path)
            return "drop"
        return None

    run = create(log, experiment)
    log.apply(LogCheckpoints(run, points(1, 20)))
    finish(log, run)
    finish(log, create(log, experiment))
    with Proxy(mlflow_server, spoil) as proxy:
        assert mirror(log, proxy.url).runs == 2
    assert hidden
    found = mlflow_server.runs(log.identity, view="ALL")
    assert [each.status for each in found] == ["FINISHED"] * 2
    assert len(mlflow_server.history(found[0], "loss")) == 20
    assert len(mlflow_server.experiments(log.identity)) == 1


def test_a_creation_that_happens_late_is_found(log, experiment, mlflow_server):
    """The server does what it was asked only after the mirror gave up and asked again."""
    delayed = []

    def spoil(path):
        if path.endswith("runs/create") and not delayed:
            delayed.append(path)
            return 2.0
        return None

    finish(log, create(log, experiment))
    with Proxy(mlflow_server, spoil) as proxy:
        mirror(log, proxy.url)
    assert only(mlflow_server.runs(log.identity)).status == "FINISHED"
    assert len(mlflow_server.runs(log.identity, view="ALL")) == 2


def test_a_restored_log_is_compared_anew(log_url, mlflow_server):
    """What MLflow holds of a future that a restored log does not have is replaced by what it has."""
    path = Path(log_url.removeprefix("sqlite:///"))
    log = open_log(log_url)
    log.apply(CreateRun(None, {"x": 1}, time=BORN))
    log.close()
    shutil.copy(path, path.with_suffix(".backup"))
    for value in (2, 3):
        log = open_log(log_url)
        log.apply(CreateRun(None, {"x": value}, time=BORN + value))
        mirror(log, mlflow_server.url)
        log.close()
        shutil.copy(path.with_suffix(".backup"), path)
    found = mlflow_server.runs(log.identity)
    assert [run.params["x"] for run in found] == ["1", "3"]


@pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
def test_a_log_in_postgresql(mlflow_server):
    """The place of the one mirror is a lock in the database."""
    log = open_log(shared_server().new_schema())
    log.apply(CreateRun(None, {"x": 1}, time=BORN))
    with start_mirror(log, mlflow_server.url) as background:
        assert background.flush()
        with pytest.raises(Conflict, match="one mirror at a time"):
            mirror(log, mlflow_server.url)
    assert mirror(log, mlflow_server.url).runs == 0
    assert only(mlflow_server.runs(log.identity)).params == {"x": "1"}
    log.close()


@pytest.mark.slow
def test_a_database_of_our_own(log, experiment, tmp_path):
    """Named on purpose it works, and its files lie beside it."""
    finish(log, create(log, experiment))
    uri = f"sqlite:///{tmp_path / 'private.db'}"
    for runs in (1, 0):
        command = [*SYNC, "--log", log.url, "--uri", uri]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert f"mirrored {runs} run" in done.stdout, done.stderr
    assert [path.name for path in tmp_path.glob("private.db-files/**/*.json")] == ["run.json"]
    assert not (tmp_path / "mlruns").exists()


def test_one_mirror_at_a_time(log, experiment, mlflow_server):
    """A second one is refused, or waits; afterwards it finds all done."""
    create(log, experiment)
    with start_mirror(log.url, mlflow_server.url) as first:
        assert first.flush()
        with pytest.raises(Conflict, match="one mirror at a time"):
            mirror(log, mlflow_server.url)
        second = start_mirror(log.url, mlflow_server.url)
        until(lambda: "one mirror" in second.waits_for, "the second mirror to wait")
    finish(log, create(log, experiment))
    assert second.flush()
    assert second.close()
    assert len(mlflow_server.runs(log.identity, view="ALL")) == 2


def test_a_mirror_outlives_its_program(log, experiment, mlflow_server):
    """When the program that started it is killed, the mirror brings over what was written, and ends."""
    program = f"""
import os, signal
from heliostat.registry import open_log
from heliostat.writes import CreateRun
from heliostat_trackers.mlflow import start_mirror
log = open_log({log.url!r})
mirror = start_mirror({log.url!r}, {mlflow_server.url!r})
for number in range(5):
    log.apply(CreateRun({experiment}, {{"lr": 0.5}}, time={BORN}))
print(mirror.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    until(lambda: not is_alive(int(done.stdout)), "the mirror's end")
    assert len(mlflow_server.runs(log.identity)) == 5


@pytest.mark.slow
def test_a_sweep_mirrors_itself(log_url, tmp_path, mlflow_server):
    """All runs of the sweep are in MLflow when it returns; in a process of its own, since Ray stays up."""
    program = f"""
import heliostat as hs
experiment = hs.Experiment(
    "swept", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], budget=3,
    searcher="sobol", log={log_url!r},
)
experiment.sweep(lambda config: {{"loss": config["x"]}}, parallel=1, mlflow={mlflow_server.url!r})
print(experiment.log.identity)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    runs = mlflow_server.runs(done.stdout.split()[-1])
    assert [run.status for run in runs] == ["FINISHED"] * 3


def is_alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_command_line(log, experiment, mlflow_server):
    """Progress, and where to look."""
    finish(log, create(log, experiment))
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow_server.url}
    command = [*SYNC, "--log", log.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "caught up: mirrored 1 run, lag 0 events" in done.stdout
    assert f"{mlflow_server.url}/#/experiments/" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "an MLflow server's address is needed"),
        (["--uri", "postgresql://there/db"], "must be an MLflow server's address"),
        (["--uri", "{server}/wrong"], "Check --uri"),
        (["--uri", "http://127.0.0.1:{free}", "--patience", "0.5"], "Connection refused"),
    ],
)
def test_the_command_line_says_what_is_wrong(log, experiment, mlflow_server, monkeypatch, words, said):
    """One line, and exit code 2."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = [word.format(server=mlflow_server.url, free=free_port()) for word in words]
    done = CliRunner().invoke(main, ["mlflow", "sync", "--log", log.url, *words])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_database_must_be_named_on_purpose(log, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(InvalidValue, match="on purpose"):
        mirror(log)
    assert not (tmp_path / "mlflow.db").exists()


def test_a_run_that_the_server_will_not_take_stops_no_other(log, experiment, mlflow_server):
    """Errors at one run only: it is named, tried again later, and the rest arrives."""
    runs = [create(log, experiment) for _ in range(3)]
    bad = only(
        mlflow_server.ask("experiments/search", max_results=1, filter="name = 'Default'")["experiments"]
    )
    seen = []

    def spoil(path):
        seen.append(path)
        creations = [each for each in seen if each.endswith("runs/create")]
        return "refuse" if path.endswith("runs/create") and len(creations) in (2, 3) else None

    assert bad
    with Proxy(mlflow_server, spoil) as proxy:
        done = mirror(log, proxy.url)
    assert done.refused == {}
    assert [run.run for run in mlflow_server.runs(log.identity)] == runs


def test_a_run_at_which_the_server_fails_is_named_and_tried_again(log, experiment, mlflow_server):
    """Even one that fails without end: the run is named, and a later mirror brings it."""
    finish(log, create(log, experiment))
    with Proxy(mlflow_server, lambda path: "fail" if path.endswith("runs/log-batch") else None) as proxy:
        done = mirror(log, proxy.url)
    assert "failed 3 times" in done.refused[1]
    assert only(mlflow_server.runs(log.identity)).metrics == {}
    assert mirror(log, mlflow_server.url).refused == {}
    assert only(mlflow_server.runs(log.identity)).metrics == {"accuracy": 0.9}


def test_files_that_cannot_be_stored_stop_nothing(log, experiment, mlflow_server):
    """The file store is often another program than the server."""
    run = create(log, experiment)
    finish(log, run)
    with Proxy(mlflow_server, lambda path: "forbid" if "mlflow-artifacts" in path else None) as proxy:
        assert mirror(log, proxy.url).refused == {}
    found = only(mlflow_server.runs(log.identity))
    assert (found.status, found.metrics) == ("FINISHED", {"accuracy": 0.9})
    assert "403" in found.tags["heliostat.artifacts_error"]
    log.apply(UpdateRun(run, time=BORN + 90, note="again"))
    mirror(log, mlflow_server.url)
    found = only(mlflow_server.runs(log.identity))
    assert "heliostat.artifacts_error" not in found.tags
    assert mlflow_server.artifacts(found) == ["heliostat/run.json"]


def test_a_closed_door_is_said_at_once(log, experiment):
    """401 and 403 are no reason to wait."""
    create(log, experiment)

    class Closed:
        url = "http://127.0.0.1:1"

    with Proxy(Closed(), lambda _: "forbid") as proxy, pytest.raises(ServerRefused, match="MLFLOW_TRACKING"):
        mirror(log, proxy.url)


def test_following_ends_when_told(log, experiment, mlflow_server):
    """What the log holds at the end is mirrored."""
    stop = threading.Event()
    done = []
    follower = threading.Thread(
        target=lambda: done.append(mirror(log, mlflow_server.url, follow=True, stop=stop))
    )
    follower.start()
    create(log, experiment)
    until(lambda: mlflow_server.runs(log.identity), "the first run")
    finish(log, create(log, experiment))
    stop.set()
    follower.join()
    assert (only(done).runs, len(mlflow_server.runs(log.identity))) == (2, 2)


@pytest.mark.slow
def test_killed_eight_times(log, experiment, mlflow_server):
    """SIGKILL at random moments while runs are written: runs = trials, none twice, each complete."""
    rng = random.Random(8)
    is_over = threading.Event()
    written = []

    def write():
        for number in range(80):
            run = create(log, experiment)
            log.apply(StartRun(run, time=BORN + 2))
            for step in range(1, 6):
                log.apply(LogCheckpoints(run, points(step, step)))
                time.sleep(0.05)  # a trial takes time
            finish(log, run, value=number / 100)
            written.append(run)
        is_over.set()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(8):
        with following(log, mlflow_server) as process:
            assert "lag" in process.stdout.readline() + process.stdout.readline()
            is_over.wait(rng.uniform(0.0, 2.0))
            process.kill()
    writer.join()
    assert mirror(log, mlflow_server.url).refused == {}
    found = mlflow_server.runs(log.identity)
    assert [run.run for run in found] == written
    assert [run.metrics["accuracy"] for run in found] == [number / 100 for number in range(80)]
    assert {run.status for run in found} == {"FINISHED"}
    for run in found[::8]:
        assert [step for step, _, _ in mlflow_server.history(run, "loss")] == [1, 2, 3, 4, 5]
    assert len(mlflow_server.runs(log.identity, view="ALL")) == 80


def following(log, server):
    return subprocess.Popen(
        [*SYNC, "--follow", "--log", log.url, "--uri", server.url], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["away", "silent"])
def test_nobody_waits_for_a_server_that_is(log, experiment, own_server, how):
    """Eight runs are written and acknowledged while the server is gone; then the mirror catches up."""
    with start_mirror(log.url, own_server.url) as background:
        create(log, experiment)
        assert background.flush(240)
        own_server.stop() if how == "away" else own_server.silence()
        waits = []
        for _ in range(8):
            run = create(log, experiment)
            for step in range(1, 11):
                begun = time.monotonic()
                log.apply(LogCheckpoints(run, points(step, step)))
                waits.append(time.monotonic() - begun)
            finish(log, run)
        assert len(log.runs(experiment)) == 9  # all was acknowledged, and nobody waited
        until(lambda: background.waits_for, "the mirror to notice")
        assert not background.flush(0.1)
        own_server.start() if how == "away" else own_server.wake()
        assert background.flush(240)
        assert background.waits_for == ""
    assert sorted(waits)[40] < 5.0  # a mirror in the way would cost each its timeout of 10 s
    found = own_server.runs(log.identity)
    assert [run.status for run in found] == ["RUNNING"] + ["FINISHED"] * 8
    assert [len(own_server.history(run, "loss")) for run in found[1:]] == [10] * 8


def test_patience_ends(log, experiment):
    """Without --follow a server that is not there is an error, after a while."""
    create(log, experiment)
    with pytest.raises(ServerAway, match="Connection refused"):
        mirror(log, f"http://127.0.0.1:{free_port()}", patience=0.5)


def test_ctrl_c_ends_it_at_a_silent_server(log, experiment, own_server):
    """It does not wait for its request's end."""
    create(log, experiment)
    own_server.silence()
    for number in (signal.SIGINT, signal.SIGTERM):
        with following(log, own_server) as process:
            until(lambda process=process: has_connection(own_server.port, process), "its first request")
            process.send_signal(number)
            assert process.wait(60) in (0, 130)


def has_connection(port, process):
    """Whether the process itself is connected to the port; the table shows everybody's."""
    own = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it may close files while we look
            own.add(os.readlink(link))
    rows = [line.split() for line in Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]]
    return any(row[2] == f"0100007F:{port:04X}" and f"socket:[{row[9]}]" in own for row in rows)


@pytest.mark.browser
def test_the_official_pages_show_it(log, experiment, mlflow_server, chromium):
    """A metric's value in the table that our address opens, and a curve on the run's page."""
    for number in range(3):
        run = create(log, experiment, origin="optuna")
        log.apply(LogCheckpoints(run, points(1, 12)))
        finish(log, run, value=0.8125 + number / 32)
    done = mirror(log, mlflow_server.url)
    address = only(done.addresses.values())
    with watched_page(chromium, address, ready=False, width=1700) as (page, _):
        page.get_by_text("0.8125").first.wait_for(timeout=60_000)
        assert page.get_by_text("Heliostat").first.is_visible()  # the view with our columns
        table = page.locator(".ag-root").inner_text()
        for shown in ("accuracy", "lr", "layers_0_", "run 1", "run 2", "run 3", "0.875", "0.84375"):
            assert shown in table
    first = mlflow_server.runs(log.identity)[0]
    place = f"{mlflow_server.url}/#/experiments/{first.experiment}/runs/{first.id}"
    with watched_page(chromium, f"{place}/model-metrics", ready=False) as (page, _):
        page.locator(".js-plotly-plot .scatterlayer .point").nth(11).wait_for(
            state="attached", timeout=60_000
        )
        assert page.get_by_text("loss", exact=True).first.is_visible()
    with watched_page(chromium, place, ready=False) as (page, _):
        page.get_by_text("0.8125").first.wait_for(timeout=60_000)
