"""MLflow's runs become runs."""

import hashlib
import math

import pytest

from heliostat.errors import NotFound
from heliostat.imports import import_runs
from heliostat.trial import State


@pytest.fixture(scope="module")
def mlflow_database(tmp_path_factory):
    """A tracking database with one run of each kind."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput

    folder = tmp_path_factory.mktemp("mlflow")
    path = folder / "ml.db"
    client = MlflowClient(f"sqlite:///{path}")
    experiment = client.create_experiment("nets", artifact_location=str(folder / "artifacts"))
    client.create_experiment("empty", artifact_location=str(folder / "more"))
    tags = {
        "team": "blue",
        "mlflow.user": "ann",
        "mlflow.source.git.commit": "abc",
        "mlflow.note.content": "*hi*",
    }
    run = client.create_run(experiment, run_name="one", tags=tags).info.run_id
    params = {
        "lr": "0.1",
        "n": "3",
        "flag": "True",
        "act": "relu",
        "zip": "007",
        "none": "None",
        "tiny": "1e-08",
    }
    for name, text in params.items():
        client.log_param(run, name, text)
    for step in range(4):
        client.log_metric(run, "loss", 1 / (step + 1), step=step)
    client.log_metric(run, "nan", math.nan)
    client.log_metric(run, "inf", math.inf)
    client.log_inputs(run, [DatasetInput(Dataset("iris", "d1", "local", "here"), [])])
    client.set_terminated(run)
    for status in ("FAILED", "KILLED"):
        other = client.create_run(experiment).info.run_id
        for value in (3.0, 2.0, 1.0):  # whoever never passes a step
            client.log_metric(other, "loss", value)
        client.set_terminated(other, status)
    client.create_run(experiment, run_name="open")
    client.create_run(experiment, run_name="ours", tags={"heliostat.run": "7"})
    return path, client, experiment


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_mlflow_runs_become_runs(mlflow_database, tmp_path, log):
    path, client, experiment = mlflow_database
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    source = f"sqlite:///{path}"
    done = import_runs("mlflow", source, experiment="nets", project="p", log=log)
    assert (done.added, done.skipped) == (4, {"Heliostat wrote it there itself": 1})
    one, failed, killed, active = log.runs(curves=True)
    assert one.assignments == {
        "lr": 0.1,
        "n": 3,
        "flag": True,
        "act": "relu",
        "zip": "007",
        "none": "None",
        "tiny": 1e-8,
    }
    assert type(one.assignments["n"]) is int
    assert (one.numbers["loss"], one.numbers["inf"]) == (0.25, math.inf)
    assert math.isnan(one.numbers["nan"])
    assert [point.values.get("loss") for point in one.curve] == [1.0, 0.5, 1 / 3, 0.25]
    assert (one.name, one.user, one.source_hash, one.note) == ("one", "ann", "abc", "*hi*")
    assert one.metadata == {"study": "nets", "team": "blue"}
    assert one.datasets == {"iris": {"digest": "d1", "source_type": "local"}}
    assert one.origin == "mlflow"
    assert one.seconds >= 0
    assert [run.state for run in (failed, killed, active)] == [State.FAILED, State.CANCELLED, State.ACTIVE]
    assert [(point.step, point.values["loss"]) for point in failed.curve] == [(0, 3.0), (1, 2.0), (2, 1.0)]

    assert import_runs("mlflow", source, experiment=experiment, project="p", log=log).known == 4
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    found = client.search_runs([experiment], "attributes.run_name = 'open'")
    client.set_terminated(found[0].info.run_id)
    assert import_runs("mlflow", source, project="p", log=log).finished == 1
    assert import_runs("mlflow", source, mirrored=True, curves=False, project="p", log=log).added == 1


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_mlflow_sources_that_are_not_there(mlflow_database, tmp_path, log):
    with pytest.raises(NotFound, match=r"no experiment 'net'.*nets"):
        import_runs("mlflow", f"sqlite:///{mlflow_database[0]}", experiment="net", log=log)
    with pytest.raises(NotFound):
        import_runs("mlflow", f"sqlite:///{tmp_path / 'none.db'}", log=log)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(NotFound, match="nothing answers"):
        import_runs("mlflow", "http://127.0.0.1:9", log=log)
