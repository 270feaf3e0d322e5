"""MLflow's wire on a real server: its own client, plain HTTP, and what must go wrong."""

import concurrent.futures
import json
import math
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heliostat as hs
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.mlflow import creations
from heliostat.service.mlflow.mounting import CALLS, FILES, PREFIXES
from heliostat.testing.service import Caller, serving
from heliostat.trial import State

mlflow = pytest.importorskip("mlflow")

API = "/api/2.0/mlflow"


@pytest.fixture
def client(writer, monkeypatch):
    for name, value in (
        ("MLFLOW_TRACKING_TOKEN", writer.token),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
        ("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"),
    ):
        monkeypatch.setenv(name, value)
    return mlflow.MlflowClient(tracking_uri=writer.url, registry_uri=writer.url)


@pytest.fixture
def experiment(client, request):
    return client.create_experiment(request.node.name[:80])


@pytest.fixture
def run(client, experiment):
    return client.create_run(experiment, tags={"mlflow.user": "ada"}, run_name="the run").info.run_id


@pytest.fixture
def ours(service_log, client, run):
    """The run as the log has it now."""
    log = open_log(service_log)
    number = log.runs()[-1].id
    yield lambda: log.run(number)
    log.close()


def refusal(answer):
    assert set(answer.json) == {"error_code", "message"}, answer.json
    return answer.status, answer.json["error_code"]


def test_a_run_lives_from_its_creation_to_its_end(client, run, ours):
    client.log_param(run, "lr", "1e-3")
    client.log_batch(
        run,
        metrics=[mlflow.entities.Metric("loss", 1 / step, 1000 + step, step) for step in range(1, 4)],
        params=[mlflow.entities.Param("depth", "3"), mlflow.entities.Param("none", "None")],
        tags=[mlflow.entities.RunTag("team", "blue")],
    )
    found = ours()
    assert (found.state, found.origin, found.user, found.name) == (State.ACTIVE, "mlflow", "ada", "the run")
    client.set_terminated(run, "FINISHED", end_time=5000)
    found = ours()
    assert (found.state, found.ended, found.end_reason) == (State.COMPLETED, 5.0, "finished")
    assert found.assignments == {"lr": 0.001, "depth": 3, "none": "None"}
    assert [(point.step, point.values["loss"]) for point in found.curve] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert found.numbers == {"loss": 1 / 3}
    assert found.metadata == {"team": "blue"}
    back = client.get_run(run)
    assert (back.info.status, back.info.end_time, back.info.run_name) == ("FINISHED", 5000, "the run")
    assert back.data.params == {"lr": "1e-3", "depth": "3", "none": "None"}
    assert back.data.metrics == {"loss": 1 / 3}
    assert back.data.tags["team"] == "blue"
    assert back.data.tags["heliostat.state"] == "completed"


@pytest.mark.parametrize(
    ("status", "state"),
    [("FINISHED", State.COMPLETED), ("FAILED", State.FAILED), ("KILLED", State.CANCELLED)],
)
def test_every_end_has_its_state(client, run, ours, status, state):
    client.set_terminated(run, status)
    client.set_terminated(run, status)
    found = ours()
    assert found.state is state
    assert (found.failure is None) is (status != "FAILED")
    assert client.get_run(run).info.status == status


def test_an_ended_run_may_go_on_and_end_otherwise(client, run, ours):
    client.set_terminated(run, "FINISHED", end_time=5000)
    client.update_run(run, status="RUNNING")
    assert client.get_run(run).info.status == "RUNNING"
    assert client.get_run(run).info.end_time is None
    client.log_metric(run, "m", 2.0, step=1)
    client.set_terminated(run, "FAILED", end_time=7000)
    found = client.get_run(run)
    assert (found.info.status, found.info.end_time, found.data.metrics) == ("FAILED", 7000, {"m": 2.0})
    assert ours().state is State.FAILED


def test_scheduled_runs_are_active(client, run, ours):
    client.update_run(run, status="SCHEDULED")
    assert client.get_run(run).info.status == "SCHEDULED"
    assert ours().state is State.ACTIVE
    client.update_run(run, status="RUNNING", name="renamed")
    assert (client.get_run(run).info.status, ours().name) == ("RUNNING", "renamed")


def test_a_metric_without_steps_becomes_a_curve_when_the_run_ends(client, run, ours):
    for time_, value in ((10, 3.0), (20, 2.0), (30, 1.0), (30, 1.0)):
        client.log_metric(run, "bare", value, timestamp=time_)
    client.log_metric(run, "once", 7.0)
    history = client.get_metric_history(run, "bare")
    assert [(item.step, item.timestamp, item.value) for item in history] == [
        (0, 10, 3.0), (0, 20, 2.0), (0, 30, 1.0),
    ]  # fmt: skip
    client.set_terminated(run)
    curve = [(point.step, point.values["bare"]) for point in ours().curve if "bare" in point.values]
    assert curve == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert client.get_metric_history(run, "bare") == history
    assert client.get_run(run).data.metrics == {"bare": 1.0, "once": 7.0}


def test_steps_may_be_negative_repeated_and_out_of_order(client, run, ours):
    for step, value in ((5, 5.0), (-2, -2.0), (0, 0.0), (3, 3.0), (3, 33.0)):
        client.log_metric(run, "m", value, timestamp=1000 + abs(int(value)), step=step)
    client.set_terminated(run)
    points = [(item.step, item.value) for item in client.get_metric_history(run, "m")]
    assert points == [(-2, -2.0), (0, 0.0), (3, 33.0), (5, 5.0)]
    assert ours().numbers == {"m": 5.0}


def test_numbers_that_are_none_are_kept(client, run, ours):
    for step, value in enumerate((math.nan, math.inf, -math.inf, 1e308)):
        client.log_metric(run, f"m{step}", value, step=step)
    found = client.get_run(run).data.metrics
    assert math.isnan(found["m0"])
    assert (found["m1"], found["m2"], found["m3"]) == (math.inf, -math.inf, 1e308)
    assert ours().numbers["m1"] == math.inf
    assert math.isnan(client.get_metric_history(run, "m0")[0].value)


def test_a_parameter_keeps_its_first_value(client, run):
    client.log_param(run, "a", "0.10")
    client.log_param(run, "a", "0.10")
    with pytest.raises(
        mlflow.exceptions.MlflowException, match="Changing param values is not allowed"
    ) as raised:
        client.log_param(run, "a", "0.1")
    assert raised.value.error_code == "INVALID_PARAMETER_VALUE"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = [pool.submit(client.log_param, run, "b", str(value)) for value in range(8)]
    assert sum(item.exception() is None for item in done) == 1
    assert client.get_run(run).data.params["a"] == "0.10"


def test_a_batch_with_one_fault_changes_nothing(writer, run, client):
    batch = {
        "run_id": run,
        "params": [{"key": "good", "value": "1"}],
        "metrics": [{"key": "m", "value": 1, "timestamp": 1}, {"key": "n", "value": "x", "timestamp": 1}],
    }
    answer = writer.call("POST", f"{API}/runs/log-batch", batch)
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")
    found = client.get_run(run).data
    assert (found.params, found.metrics) == ({}, {})


def test_tags_come_and_go(client, run, ours):
    client.set_tag(run, "a", "1")
    client.set_tag(run, "mlflow.note.content", "**bold**")
    client.set_tag(run, "mlflow.source.git.commit", "abc")
    client.set_tag(run, "mlflow.runName", "other")
    found = ours()
    assert (found.metadata, found.note, found.source_hash, found.name) == (
        {"a": "1"},
        "**bold**",
        "abc",
        "other",
    )
    client.delete_tag(run, "a")
    client.delete_tag(run, "mlflow.note.content")
    assert (ours().metadata, ours().note) == ({}, "")
    with pytest.raises(mlflow.exceptions.MlflowException, match="No tag with name"):
        client.delete_tag(run, "a")


def test_nested_runs_name_their_parent(client, experiment, run):
    child = client.create_run(experiment, tags={"mlflow.parentRunId": run}).info.run_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run}'")
    assert [item.info.run_id for item in found] == [child]


def test_datasets_are_kept(client, run, ours):
    def used(digest, context):
        dataset = mlflow.entities.Dataset("iris", digest, "local", '{"uri": "x"}', "{}", '{"rows": 150}')
        tag = mlflow.entities.InputTag("mlflow.data.context", context)
        return mlflow.entities.DatasetInput(dataset, [tag])

    for _ in range(2):
        client.log_inputs(run, datasets=[used("d1", "train"), used("d2", "test")])
    assert {name: facts["context"] for name, facts in ours().datasets.items()} == {
        "iris": "train",
        "iris (d2)": "test",
    }
    inputs = client.get_run(run).inputs.dataset_inputs
    assert [(item.dataset.name, item.dataset.digest, item.tags[0].value) for item in inputs] == [
        ("iris", "d1", "train"), ("iris", "d2", "test"),
    ]  # fmt: skip
    experiment = client.get_run(run).info.experiment_id
    assert len(client.search_runs([experiment], "dataset.digest = 'd2' and dataset.context = 'train'")) == 1


def test_runs_are_found_sorted_and_paged(client, experiment):
    for place in range(7):
        id = client.create_run(experiment, start_time=1000 + place, run_name=f"r{place}").info.run_id
        client.log_param(id, "kind", "even" if place % 2 == 0 else "odd")
        if place != 3:
            client.log_metric(id, "acc", place / 10)
        client.set_terminated(id, "FAILED" if place == 6 else "FINISHED")

    def names(filter_string="", **more):
        return [item.info.run_name for item in client.search_runs([experiment], filter_string, **more)]

    assert names() == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert names("metrics.acc > 0.35", order_by=["metrics.acc ASC"]) == ["r4", "r5", "r6"]
    assert names("params.kind = 'odd'", order_by=["metrics.acc DESC"]) == ["r5", "r1", "r3"]
    assert names("attributes.status = 'FAILED'") == ["r6"]
    assert names("run_name LIKE 'r%' and start_time <= 1001") == ["r1", "r0"]
    assert names("tags.x IS NULL and params.kind ILIKE 'EV%'", order_by=["start_time"]) == [
        "r0",
        "r2",
        "r4",
        "r6",
    ]
    page = client.search_runs([experiment], max_results=3)
    shown = list(page)
    while page.token:
        page = client.search_runs([experiment], max_results=3, page_token=page.token)
        shown += page
    assert [item.info.run_name for item in shown] == names()
    with pytest.raises(mlflow.exceptions.MlflowException, match="at character 1"):
        client.search_runs([experiment], "wat > 3")


def test_deleted_runs_are_hidden_and_come_back(client, experiment, run, ours):
    client.delete_run(run)
    assert ours().archived
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    assert client.search_runs([experiment]) == []
    assert len(client.search_runs([experiment], run_view_type=mlflow.entities.ViewType.DELETED_ONLY)) == 1
    with pytest.raises(mlflow.exceptions.MlflowException, match="must be in the 'active' state"):
        client.log_metric(run, "m", 1)
    client.restore_run(run)
    assert len(client.search_runs([experiment])) == 1


def test_experiments_are_projects(client, service_log):
    id = client.create_experiment("plain-name", tags={"a": "1"})
    assert id == "plain-name"
    spaced = client.create_experiment("Ümlaut & spaces: 試験")
    assert client.get_experiment_by_name("Ümlaut & spaces: 試験").experiment_id == spaced
    with pytest.raises(mlflow.exceptions.MlflowException) as raised:
        client.create_experiment("plain-name")
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(id, "new name")
    client.set_experiment_tag(id, "mlflow.note.content", "why")
    found = client.get_experiment(id)
    assert (found.name, found.tags) == ("new name", {"a": "1", "mlflow.note.content": "why"})
    assert client.get_experiment_by_name("plain-name") is None
    client.create_run(id)
    client.delete_experiment(id)
    assert client.get_experiment(id).lifecycle_stage == "deleted"
    assert client.search_runs([id]) == []
    with pytest.raises(mlflow.exceptions.MlflowException, match="must be in the 'active' state"):
        client.create_run(id)
    client.restore_experiment(id)
    assert len(client.search_runs([id])) == 1
    log = open_log(service_log)
    assert {"plain-name", spaced} <= {record.id for record in log.projects()}
    assert [note.text for note in log.notes("plain-name")] == ["why"]
    log.close()


def test_experiments_are_searched(client):
    for name in ("find-a", "find-b"):
        client.create_experiment(name, tags={"group": "found"})
    found = client.search_experiments(filter_string="tags.group = 'found'", order_by=["name DESC"])
    assert [item.name for item in found] == ["find-b", "find-a"]
    assert [item.name for item in client.search_experiments(filter_string="name LIKE 'find-a%'")] == [
        "find-a"
    ]


def test_the_default_experiment_is_always_there(client):
    assert client.get_experiment("0").name == "Default"
    assert client.get_experiment_by_name("Default").experiment_id == "0"
    id = client.create_run("0").info.run_id
    assert client.get_run(id).info.experiment_id == "0"


def test_artifacts_go_up_and_come_down(client, run, tmp_path, ours, service_log):
    folder = tmp_path / "up"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("first")
    (folder / "deep" / "b ü%.bin").write_bytes(bytes(range(256)) * 1000)
    for _ in range(2):
        client.log_artifacts(run, str(folder), "out")
    client.log_text(run, "second", "out/a.txt")
    assert [(item.path, item.is_dir) for item in client.list_artifacts(run)] == [("out", True)]
    assert [(item.path, item.is_dir, item.file_size) for item in client.list_artifacts(run, "out")] == [
        ("out/a.txt", False, 6), ("out/deep", True, None),
    ]  # fmt: skip
    (tmp_path / "down").mkdir()
    client.download_artifacts(run, "out", str(tmp_path / "down"))
    assert (tmp_path / "down" / "out" / "a.txt").read_text() == "second"
    assert (tmp_path / "down" / "out" / "deep" / "b ü%.bin").read_bytes() == bytes(range(256)) * 1000
    log = open_log(service_log)
    assert len(log.files(ours().id)) == 3
    log.close()


@pytest.mark.parametrize(
    "path",
    ["../x", "..%2fx", "%2e%2e/x", "a/%2e%2e/%2e%2e/x", "%252e%252e%252fx", "/etc/passwd", "C:%5cx", "a%5cb",
     "a%00b", "a%0ab", "%23/../x", "a//b", "x" * 1100],
)  # fmt: skip
def test_artifact_paths_lead_nowhere_else(writer, client, run, path):
    where = client.get_run(run).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    address = f"/api/2.0/mlflow-artifacts/artifacts/{where}/{path}"
    assert writer.call("PUT", address, content=b"x").status in (400, 404)
    assert writer.call("GET", address).status in (400, 404)
    assert client.list_artifacts(run) == []


def test_artifacts_are_for_saving_only(writer, client, run):
    client.log_text(run, "<script>alert(1)</script>", "page.html")
    where = client.get_run(run).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    answer = writer.call("GET", f"/api/2.0/mlflow-artifacts/artifacts/{where}/page.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    same = writer.call("GET", f"/get-artifact?run_id={run}&path=page.html")
    assert same.content == answer.content
    listed = writer.ok("GET", f"{API}/artifacts/list?run_id={run}")
    assert [item["path"] for item in listed["files"]] == ["page.html"]
    gone = writer.call("GET", f"/get-artifact?run_id={run}&path=other.html")
    assert refusal(gone) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert refusal(writer.call("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{where}/page.html"))[0] == 501


@pytest.mark.parametrize(
    "location", ["file:///tmp/x", "/tmp/x", "./x", "http://169.254.169.254/x", "s3://a/../b", "x:y"]
)
def test_a28_artifact_locations_on_somebodys_disk_are_refused(writer, location):
    body = {"name": "somewhere", "artifact_location": location}
    answer = writer.call("POST", f"{API}/experiments/create", body)
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")


def test_a_bucket_of_ones_own_is_left_to_the_client(client):
    id = client.create_experiment("bucket", artifact_location="s3://mine/here")
    run = client.create_run(id).info
    assert run.artifact_uri == f"s3://mine/here/{run.run_id}/artifacts"


def test_logged_models_belong_to_their_run(client, experiment, run, tmp_path):
    model = client.create_logged_model(
        experiment, name="tree", source_run_id=run, model_type="t", params={"a": "1"}
    )
    again = client.create_logged_model(
        experiment, name="tree", source_run_id=run, model_type="t", params={"a": "1"}
    )
    assert again.model_id == model.model_id
    (tmp_path / "MLmodel").write_text("x")
    client.log_model_artifacts(model.model_id, str(tmp_path))
    client.finalize_logged_model(model.model_id, "READY")
    client.set_logged_model_tags(model.model_id, {"k": "v"})
    client.log_outputs(run, [mlflow.entities.LoggedModelOutput(model.model_id, 3)])
    found = client.get_logged_model(model.model_id)
    assert (found.name, str(found.status), found.params, found.tags) == (
        "tree",
        "READY",
        {"a": "1"},
        {"k": "v"},
    )
    assert [item.path for item in client.list_logged_model_artifacts(model.model_id)] == ["MLmodel"]
    assert client.list_artifacts(run) == []
    assert [item.model_id for item in client.get_run(run).outputs.model_outputs] == [model.model_id]
    assert [item.model_id for item in client.search_logged_models([experiment], "name = 'tree'")] == [
        model.model_id
    ]
    next_one = client.create_logged_model(experiment, name="tree", source_run_id=run)
    assert next_one.model_id != model.model_id
    with pytest.raises(mlflow.exceptions.MlflowException, match="belongs to the run"):
        client.create_logged_model(experiment, name="loose")


def test_models_of_older_clients_are_remembered(writer, run, client, ours):
    model = {"artifact_path": "model", "flavors": {"python_function": {}, "sklearn": {}}}
    for _ in range(2):
        body = {"run_id": run, "model_json": json.dumps(model)}
        assert writer.ok("POST", f"{API}/runs/log-model", body) == {}
    assert ours().model == "sklearn"
    assert json.loads(client.get_run(run).data.tags["mlflow.log-model.history"]) == [model]


def test_runs_of_experiments_are_shown_and_ended_by_their_experiment_only(client, service_log):
    log = open_log(service_log)
    experiment = hs.Experiment(
        "bowl", parameters=[hs.Double("x", 0, 1)], metrics=[hs.minimize("loss")], budget=3, log=log,
        project="bowls", searcher="random",
    )  # fmt: skip
    asked = experiment.ask()
    uuid = client.search_runs(["bowls"])[0].info.run_id
    client.log_metric(uuid, "loss", 0.5, step=1)
    client.set_terminated(uuid, "FINISHED")
    shown = client.get_run(uuid)
    assert (shown.info.status, shown.data.params) == ("RUNNING", {"x": repr(asked["x"])})
    assert shown.data.tags["heliostat.trial"] == "1"
    with pytest.raises(mlflow.exceptions.MlflowException, match="not allowed"):
        client.log_param(uuid, "x", "7")
    log.close()


def creation(experiment, start):
    return {
        "experiment_id": experiment,
        "user_id": "u",
        "start_time": start,
        "tags": [{"key": "a", "value": "1"}],
    }


def test_a_repeated_creation_is_one_run(writer, experiment):
    body = creation(experiment, 1_000)
    first, again = (writer.ok("POST", f"{API}/runs/create", body)["run"] for _ in range(2))
    assert first == again
    writer.ok(
        "POST", f"{API}/runs/log-parameter", {"run_id": first["info"]["run_id"], "key": "k", "value": "v"}
    )
    other = writer.ok("POST", f"{API}/runs/create", body)["run"]
    assert other["info"]["run_id"] != first["info"]["run_id"]


def test_a_repeat_after_a_restart_is_one_run(writer, experiment, service_log, monkeypatch):
    body = creation(experiment, 2_000)
    first = writer.ok("POST", f"{API}/runs/create", body)["run"]
    monkeypatch.setattr(creations, "YOUNG", 0.0)  # as if some time had passed since
    with serving(ServiceSettings(log=service_log)) as host:
        again = Caller(host, writer.token).ok("POST", f"{API}/runs/create", body)["run"]
        monkeypatch.setattr(creations, "YOUNG", 60.0)
        fresh = writer.ok("POST", f"{API}/runs/create", creation(experiment, 3_000))["run"]
        others = Caller(host, writer.token).ok("POST", f"{API}/runs/create", creation(experiment, 3_000))[
            "run"
        ]
    assert again == first
    assert fresh["info"]["run_id"] != others["info"]["run_id"]


def test_workers_that_start_in_the_same_millisecond_get_runs_of_their_own(writer, experiment):
    body, barrier = creation(experiment, 4_000), threading.Barrier(8)

    def worker(place):
        barrier.wait()
        id = writer.ok("POST", f"{API}/runs/create", body)["run"]["info"]["run_id"]
        writer.ok("POST", f"{API}/runs/log-parameter", {"run_id": id, "key": "place", "value": str(place)})
        return id

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(worker, range(8)))
    assert len(set(ids)) == 8


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "registered-models/create"), ("GET", "model-versions/search"), ("POST", "traces"),
        ("GET", "gateway/endpoints/list"), ("POST", "webhooks"), ("DELETE", "logged-models/m-0"),
    ],
)  # fmt: skip
def test_what_is_not_carried_says_so(writer, method, path):
    for root in ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow"):
        answer = writer.call(method, f"{root}/{path}")
        assert refusal(answer) == (501, "NOT_IMPLEMENTED")
        assert "does not carry" in answer.json["message"]


def test_the_registry_refuses_at_once(client):
    with pytest.raises(mlflow.exceptions.MlflowException, match="registry of models"):
        client.create_registered_model("m")


@pytest.mark.parametrize(
    "path", ["/api/2.0/mlflow/runs/burn", "/api/2.0/mlflow/", "/api/2.0/other", "/api/9/x"]
)
def test_unknown_addresses_are_not_found(writer, path):
    assert refusal(writer.call("POST", path, {})) == (404, "ENDPOINT_NOT_FOUND")
    assert refusal(writer.call("PATCH", f"{API}/runs/create", {})) == (404, "ENDPOINT_NOT_FOUND")


def test_clients_learn_what_the_server_is(nobody, writer):
    assert nobody.call("GET", "/health").content == b"OK"
    assert nobody.call("GET", "/version").content.startswith(b"3.")
    assert writer.ok("GET", "/api/3.0/mlflow/server-info")["multipart_uploads_enabled"] is False


def test_every_call_needs_a_token_with_the_right(nobody, reader, writer, run):
    for prefix in PREFIXES:
        for verb, path, right, _ in (*((v, f"mlflow/{p}", r, a) for v, p, r, a in CALLS), *FILES):
            address = (
                f"{prefix}/{path}".replace("{path:path}", "x")
                .replace("{model_id}", "m")
                .replace("{tag_key}", "t")
            )
            assert nobody.call(verb, address).status in (401, 429), address
            answer = reader.call(verb, address)
            assert (answer.status == 403) is (right == "write"), address
    assert refusal(reader.call("POST", f"{API}/runs/delete", {"run_id": run})) == (403, "PERMISSION_DENIED")


def test_a_wrong_token_is_refused_in_mlflows_words(client, run, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hs_wrong")
    with pytest.raises(mlflow.exceptions.MlflowException, match="a valid token is needed") as raised:
        client.get_run(run)
    assert raised.value.error_code == "UNAUTHENTICATED"


def test_a_token_may_come_as_a_password(writer, run, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", writer.token)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    assert mlflow.MlflowClient(writer.url).get_run(run).info.run_id == run


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'"x"', b'{"run_id": NaN}', b'{"a": 1, "a": 2}', b'{"run_id": "a\\u0000"}', b"\xff",
     b"[" * 10_000, b'{"run_id": "\\ud800"}', b'{"value": 1e400}'],
)  # fmt: skip
def test_bodies_are_strict_json(writer, content):
    answer = writer.call(
        "POST", f"{API}/runs/log-metric", content=content, headers={"Content-Type": "application/json"}
    )
    assert refusal(answer) == (400, "INVALID_PARAMETER_VALUE")


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["run_id", "run_uuid", "experiment_id", "name", "key", "value", "timestamp", "step", "metrics", "params",
     "tags", "status", "end_time", "filter", "order_by", "max_results", "page_token", "datasets", "models",
     "experiment_ids", "start_time", "model_json", "source_run_id", "new_name", "run_view_type",
     "artifact_location"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_breaks_the_service(writer, run, experiment, data):
    verb, path, _, _ = data.draw(st.sampled_from([call for call in CALLS if call[0] != "GET"]))
    body = data.draw(st.dictionaries(NAMES, VALUES, max_size=6))
    known = data.draw(st.sampled_from([{}, {"run_id": run}, {"experiment_id": experiment}]))
    answer = writer.call(verb, f"{API}/{path.format(model_id='m', tag_key='t')}", {**body, **known})
    assert answer.status in (200, 400, 404, 409, 501), (path, body, answer.content)
    if answer.status != 200:
        refusal(answer)
    json.loads(answer.content, parse_constant=pytest.fail)
