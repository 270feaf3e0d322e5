"""The same calls to MLflow's own server and to ours: what a client sees must be the same."""

import importlib.util
import math
from pathlib import Path

import pytest

mlflow = pytest.importorskip("mlflow")

_FOUND = importlib.util.spec_from_file_location(
    "mlflow_server", Path(__file__).parents[1] / "trackers" / "mlflow_server.py"
)
official = importlib.util.module_from_spec(_FOUND)
_FOUND.loader.exec_module(official)

pytestmark = [pytest.mark.slow, official.needs_server]

FILTERS = [
    "metrics.acc > 0.3", "metrics.acc != 0.2", "metrics.`acc` <= 0.25", "metrics.none > 0",
    "metrics.nan < 5",
    "params.kind = 'odd'", "params.kind != 'odd'", "params.kind LIKE 'e%'", "params.kind ILIKE 'E_EN'",
    "params.kind IS NULL", "tags.team IS NOT NULL", "tags.`team` = 'blue' and metrics.acc >= 0.2",
    'tags."mlflow.user" = "ada"', "attributes.status = 'FAILED'", "status != 'FAILED'", "run_name LIKE 'r%2'",
    "attr.run_name = 'r1'", "start_time > 1001", "attributes.start_time <= 1001", "end_time >= 5003",
    "params.lr = '1e-3'", "params.lr = '0.001'",
]  # fmt: skip
WRONG = [
    "metrics.acc = 'x'",
    "params.kind > 'a'",
    "wat = 1",
    "params.kind = 'a' or params.kind = 'b'",
    "acc > 1",
]
ORDERS = [
    [], ["metrics.acc ASC"], ["metrics.acc DESC"], ["params.kind DESC", "metrics.acc"], ["tags.team"],
    ["start_time ASC"], ["attributes.run_name DESC"], ["metrics.nan DESC"], ["metrics.big ASC"],
]  # fmt: skip


def outcome(call):
    """What a call gives, or the code of its error."""
    try:
        return call()
    except mlflow.exceptions.MlflowException as error:
        return error.error_code


def names(runs):
    return runs if isinstance(runs, str) else [run.info.run_name for run in runs]


def five_runs(client, experiment):
    ids = []
    for place in range(5):
        tags = {"mlflow.user": "ada", **({"team": "blue"} if place % 3 else {})}
        run = client.create_run(experiment, start_time=1000 + place, run_name=f"r{place}", tags=tags)
        id = run.info.run_id
        ids.append(id)
        if place != 4:
            client.log_param(id, "kind", "even" if place % 2 == 0 else "odd")
        client.log_param(id, "lr", "1e-3" if place < 2 else "0.001")
        if place != 3:
            client.log_metric(id, "acc", place / 10, timestamp=10, step=place)
        client.log_metric(id, "nan", math.nan if place < 2 else float(place), timestamp=10)
        client.log_metric(id, "big", (-1) ** place * 1e300, timestamp=10)
        client.set_terminated(id, "FAILED" if place == 2 else "FINISHED", end_time=5000 + place)
    return ids


def calls(client, experiment, ids):
    """Calls of which most must be refused, in their order."""
    return {
        "the name again": lambda: client.create_experiment("story"),
        "another value": lambda: client.log_param(ids[0], "lr", "other"),
        "the same value": lambda: client.log_param(ids[0], "lr", "1e-3"),
        "no such tag": lambda: client.delete_tag(ids[0], "never"),
        "no such run": lambda: client.get_run("0" * 32),
        "no such experiment": lambda: client.get_experiment("98765"),
        "a run in no experiment": lambda: client.create_run("98765"),
        "delete no experiment": lambda: client.delete_experiment("98765"),
        "another end": lambda: client.update_run(ids[0], status="KILLED"),
        "delete": lambda: client.delete_run(ids[1]),
        "log to a deleted one": lambda: client.log_metric(ids[1], "m", 1),
        "delete again": lambda: client.delete_run(ids[1]),
        "restore what is there": lambda: client.restore_run(ids[2]),
        "restore an active experiment": lambda: client.restore_experiment(experiment),
        "a wrong token": lambda: client.search_runs([experiment], page_token="wat"),
        "a page too large": lambda: client.search_runs([experiment], max_results=50_001),
        "no such order": lambda: client.search_runs([experiment], order_by=["wat"]),
        "no experiments": lambda: client.search_runs(["98765"]),
    }


def told(found):
    """Of what a call gives, that which does not depend on the server."""
    return found if isinstance(found, str) else None


def story(client):
    """What a client sees in the course of some work, by what it did."""
    experiment = client.create_experiment("story", tags={"a": "1"})
    ids = five_runs(client, experiment)
    seen = {
        text: names(outcome(lambda text=text: client.search_runs([experiment], text)))
        for text in (*FILTERS, *WRONG)
    }
    for order in ORDERS:
        seen[f"by {order}"] = names(client.search_runs([experiment], order_by=order))
    for step, time in ((0, 1), (0, 2), (0, 2), (2, 5), (1, 9), (-1, 3)):
        client.log_metric(ids[0], "curve", step + time / 10, timestamp=time, step=step)
    history = client.get_metric_history(ids[0], "curve")
    seen["history"] = sorted((point.step, point.timestamp, point.value) for point in history)
    seen["no history"] = list(client.get_metric_history(ids[0], "never"))
    seen["latest"] = client.get_run(ids[0]).data.metrics["curve"]
    seen |= {what: told(outcome(call)) for what, call in calls(client, experiment, ids).items()}
    for view in (1, 2, 3):
        found = client.search_runs([experiment], run_view_type=view, order_by=["start_time"])
        seen[f"view {view}"] = [
            (run.info.run_name, run.info.lifecycle_stage, run.info.status) for run in found
        ]
    client.log_text(ids[0], "x", "folder/deep/a.txt")
    for folder in ("", "folder", "folder/deep", "folder/deep/a.txt", "none"):
        listed = client.list_artifacts(ids[0], folder)
        seen[f"files in {folder}"] = [(item.path, item.is_dir, item.file_size) for item in listed]
    run = client.get_run(ids[0])
    seen["run"] = (run.info.start_time, run.info.end_time, run.info.run_name, run.data.params)
    seen["tags"] = {name: tag for name, tag in run.data.tags.items() if not name.startswith("heliostat.")}
    found = client.get_experiment(experiment)
    seen["experiment"] = (found.name, found.tags, found.lifecycle_stage)
    client.delete_experiment(experiment)
    seen["deleted"] = client.get_experiment(experiment).lifecycle_stage
    seen["runs of the deleted"] = len(client.search_runs([experiment], run_view_type=2))
    seen["a run in the deleted"] = told(outcome(lambda: client.create_run(experiment)))
    client.restore_experiment(experiment)
    seen["found"] = [item.name for item in client.search_experiments(filter_string="name LIKE 'st%'")]
    return seen


def test_a_client_sees_the_same_story(writer, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with official.running(tmp_path / "official") as server:
        theirs = story(mlflow.MlflowClient(server.url))
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", writer.token)
    ours = story(mlflow.MlflowClient(writer.url))
    assert ours == theirs
