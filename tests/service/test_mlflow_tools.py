"""Tools that speak MLflow, each told nothing but the service's address and a token by its environment."""

import os
import subprocess
import sys

import pytest

from heliostat.registry import open_log
from heliostat.trial import State

pytest.importorskip("mlflow")

AUTOLOG = """
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

mlflow.set_experiment("autologged")
mlflow.sklearn.autolog(log_models=False)
X, y = load_iris(return_X_y=True)
GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, cv=2).fit(X, y)
"""

XGBOOST = """
import mlflow, xgboost
from sklearn.datasets import load_iris

mlflow.set_experiment("boosted")
mlflow.xgboost.autolog(log_models=False)
data = xgboost.DMatrix(*load_iris(return_X_y=True))
settings = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
xgboost.train(settings, data, num_boost_round=5, evals=[(data, "train")], verbose_eval=False)
"""

PLAIN = """
import mlflow

mlflow.set_experiment("plain")
with mlflow.start_run(run_name="whole"):
    mlflow.log_params({"lr": 0.1, "layers": [1, 2]})
    for step in range(3):
        mlflow.log_metrics({"loss": 1 / (step + 1)}, step=step)
    mlflow.log_text("words", "notes/a.txt")
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("inner", 1.0)
try:
    with mlflow.start_run(run_name="broken"):
        raise ValueError("too bad")
except ValueError:
    print("went on")
"""


@pytest.fixture(scope="module")
def environment(writer, tmp_path_factory):
    return {
        "MLFLOW_TRACKING_URI": writer.url,
        "MLFLOW_TRACKING_TOKEN": writer.token,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MPLCONFIGDIR": str(tmp_path_factory.mktemp("matplotlib")),
    }


@pytest.fixture
def run_script(environment, tmp_path):
    def run(script):
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **environment},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture
def runs_of(service_log):
    """The runs of a project, with their curves."""
    log = open_log(service_log)
    yield lambda project: log.runs(project=project, curves=True)
    log.close()


def curve(run, metric):
    return [(point.step, point.values[metric]) for point in run.curve if metric in point.values]


def test_the_plain_client_writes_into_the_log(run_script, runs_of, service_log):
    assert "went on" in run_script(PLAIN).stdout
    whole, child, broken = runs_of("plain")
    assert [run.name for run in (whole, child, broken)] == ["whole", "child", "broken"]
    assert [run.state for run in (whole, child, broken)] == [State.COMPLETED, State.COMPLETED, State.FAILED]
    assert whole.assignments == {"lr": 0.1, "layers": "[1, 2]"}
    assert curve(whole, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert whole.numbers == {"loss": 1 / 3}
    assert child.dev_metadata["mlflow.parentRunId"]
    log = open_log(service_log)
    assert [file.name for file in log.files(whole.id)] == ["notes/a.txt"]
    log.close()


def test_sklearns_autologging_writes_into_the_log(run_script, runs_of):
    run_script(AUTOLOG)
    search, *children = runs_of("autologged")
    assert {run.state for run in (search, *children)} == {State.COMPLETED}
    assert {run.origin for run in (search, *children)} == {"sklearn"}
    assert search.numbers["best_cv_score"] > 0.9
    assert "dataset" in search.datasets
    assert sorted(run.assignments["C"] for run in children) == [0.1, 1.0]
    assert all(run.numbers["mean_test_score"] > 0.9 for run in children)


def test_xgboosts_autologging_writes_its_curve_into_the_log(run_script, runs_of):
    run_script(XGBOOST)
    (run,) = runs_of("boosted")
    assert (run.state, run.origin) == (State.COMPLETED, "xgboost")
    found = curve(run, "train-mlogloss")
    assert [step for step, _ in found] == [0, 1, 2, 3, 4]
    assert found[-1][1] == run.numbers["train-mlogloss"] < found[0][1]
    assert run.assignments["num_class"] == 3


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ray_tunes_callback_writes_every_trial_into_the_log(
    ray_cluster, environment, monkeypatch, runs_of, tmp_path
):
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def train(config):
        for step in range(3):
            tune.report({"loss": config["x"] ** 2 / (step + 1)})
        if config["x"] == 3:
            raise ValueError("too large")

    tune.Tuner(
        train,
        param_space={"x": tune.grid_search([1, 2, 3])},
        run_config=tune.RunConfig(
            callbacks=[MLflowLoggerCallback(experiment_name="tuned")], storage_path=str(tmp_path), verbose=0
        ),
    ).fit()
    found = {run.assignments["x"]: run for run in runs_of("tuned")}
    assert sorted(found) == [1, 2, 3]
    assert [found[x].state for x in (1, 2, 3)] == [State.COMPLETED, State.COMPLETED, State.FAILED]
    assert curve(found[2], "loss") == [(1, 4.0), (2, 2.0), (3, 4 / 3)]
    assert found[1].numbers["loss"] == 1 / 3
    assert found[1].metadata["trial_name"] == found[1].name


def test_what_came_in_is_imported_like_any_mlflow_servers_runs(environment, monkeypatch, writer):
    from heliostat_trackers.importers.mlflow import read

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    import mlflow

    client = mlflow.MlflowClient(writer.url)
    id = client.create_experiment("to-import")
    run = client.create_run(id, run_name="r").info.run_id
    client.log_param(run, "lr", "0.1")
    for step in range(3):
        client.log_metric(run, "loss", step, step=step)
    client.set_terminated(run)
    (found,) = read(writer.url, experiment="to-import")
    assert (found.name, found.params, found.state) == ("r", {"lr": 0.1}, State.COMPLETED)
    assert [point.step for point in found.read_curve()] == [0, 1, 2]
