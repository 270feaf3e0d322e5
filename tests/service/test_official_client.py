"""The official, unmodified client (sigopt 8.8.3): two environment variables bring it here, nothing else."""

import json
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"


def printed(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_tracking_call_leaves_what_it_said(official_client, writer):
    told = printed(official_client.run(writer, "python", str(CLIENTS / "tracking.py")))
    run = writer.ok("GET", f"/v1/training_runs/{told['seed']}")
    assert (run["state"], run["name"], run["project"]) == ("completed", "seed run", "demo")
    assert run["metadata"] == {"Dataset Source": "sklearn", "Dataset Rows": 150, "Obj": "[1, 2]"}
    assert (list(run["datasets"]), run["model"]["type"]) == (["iris"], "XGB")
    assert sorted(run["assignments"]) == ["b", "c", "d", "max_depth", "min_split_loss"]
    assert run["assignments"]["c"] == 2
    assert run["assignments_meta"]["d"]["source"] == "mysrc"
    assert run["assignments_sources"]["mysrc"]["sort"] == 5
    assert run["values"]["accuracy"]["value"] == 0.97
    assert run["values"]["training and validation time (s)"]["value_stddev"] == 0.5
    assert (run["values"]["m1"]["value"], run["values"]["m2"]["value"]) == (1, 2.5)
    assert (run["source_code"]["content"], run["source_code"]["hash"]) == ("print(1)", "abc")
    assert run["logs"]["stderr"]["content"] == "e"
    assert (run["checkpoint_count"], len(run["files"])) == (3, 1)
    assert run["dev_metadata"] == {"k": 1}
    assert run["sys_metadata"]["feature_importances"]["scores"] == {"f": 1}
    file = writer.ok("GET", f"/v1/files/{run['files'][0]}")
    assert (file["name"], file["content_type"]) == ("img", "image/png")
    image = writer.call("GET", file["download"]["url"].removeprefix(writer.url)).content
    assert image.startswith(b"\x89PNG")
    failed = writer.ok("GET", f"/v1/training_runs/{told['failed']}")
    assert (failed["state"], failed["deleted"]) == ("failed", False)
    states = [writer.ok("GET", f"/v1/training_runs/{id}")["state"] for id in told["uploaded"]]
    assert states == ["completed", "active"]
    assert told["conflict"] is True


def test_the_core_connection_pages_and_reports_errors(official_client, writer):
    told = printed(official_client.run(writer, "python", str(CLIENTS / "core.py")))
    assert (told["client"], told["project"]) == ("1", "core")
    assert told["found"] == told["made"][::-1]
    assert told["points"] == [[1, 0.5]]
    assert told["missing"] == [404, 404]
    assert told["wrong"][0] == 400
    assert "name" in told["wrong"][1]


def test_sigopt_run_tracks_a_script_of_the_global_style(official_client, writer):
    options = ("--enable-log-collection", "--enable-cell-tracking", "--api-token", writer.token)
    official_client.run(writer, "sigopt", "config", *options)
    official_client.run(writer, "sigopt", "run", "--source-file", str(CLIENTS / "talk.py"), "--",
               "python", str(CLIENTS / "talk.py"))  # fmt: skip
    run = writer.ok("GET", "/v1/clients/1/projects/demo/training_runs?limit=1&sort=id")["data"][0]
    run = writer.ok("GET", f"/v1/training_runs/{run['id']}")
    assert (run["state"], run["model"]["type"], run["checkpoint_count"]) == ("completed", "tree", 1)
    assert run["assignments"] == {"max_depth": 4}
    assert run["values"]["training and validation time (s)"]["value"] == 1.5
    assert run["logs"]["stdout"]["content"] == "depth 4\n"
    assert "sigopt.log_dataset" in run["source_code"]["content"]


def test_a_notebook_cell_is_a_run(official_client, writer):
    official_client.run(writer, "ipython", str(CLIENTS / "notebook.ipy"), SIGOPT_PROJECT="notebook")
    (run,) = writer.ok("GET", "/v1/clients/1/projects/notebook/training_runs")["data"]
    run = writer.ok("GET", f"/v1/training_runs/{run['id']}")
    assert (run["name"], run["state"], run["assignments"]) == ("My notebook run", "completed", {"a": 2})
    assert run["values"]["f"]["value"] == 1


def test_xgboost_is_logged_by_the_clients_own_integration(official_client, writer):
    told = printed(official_client.run(writer, "python", str(CLIENTS / "boosted.py")))
    run = writer.ok("GET", f"/v1/training_runs/{told['id']}")
    assert (run["name"], run["state"], run["checkpoint_count"]) == ("boosted", "completed", 2)
    assert run["assignments"]["max_depth"] == 3
    sources = {meta["source"] for meta in run["assignments_meta"].values()}
    assert sources >= {"User Specified", "XGBoost Defaults"}
    assert run["sys_metadata"]["feature_importances"]["scores"]
    assert 0 <= run["values"]["val-accuracy"]["value"] <= 1


def test_hyperopt_is_recorded_by_the_clients_bridge(official_client, writer):
    official_client.run(writer, "python", str(CLIENTS / "hyperopted.py"))
    page = writer.ok("GET", "/v1/clients/1/projects/bridge/training_runs")
    assert page["count"] == 3
    for run in page["data"]:
        assert run["state"] == "completed"
        assert run["values"]["loss"]["value"] == pytest.approx(run["assignments"]["x"] ** 2)
        assert run["metadata"]["optimizer"] == "hyperopt"
        assert run["assignments_meta"]["x"]["source"] == "Hyperopt"


def test_a_reader_is_told_that_it_may_not_write(official_client, reader):
    code = "import sigopt; sigopt.create_run()"
    done = official_client.run(reader, "python", "-c", code, check=False, SIGOPT_PROJECT="nowhere")
    assert done.returncode != 0
    assert "ProjectNotFoundException" in done.stderr
