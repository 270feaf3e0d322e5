"""The official, unmodified client (sigopt 8.8.3) optimizes: loops, the core API, its command line."""

import json
from pathlib import Path

CLIENTS = Path(__file__).parent / "clients"


def printed(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_an_ai_experiment_is_looped_over(official_client, writer):
    told = printed(official_client.run(writer, "python", str(CLIENTS / "experiments_ai.py")))
    assert len(told["points"]) == len(told["runs"]) == 8
    assert all(point["a"] + 2 * point["b"] <= 1.5 + 1e-9 for point in told["points"])
    best = writer.ok("GET", f"/v1/training_runs/{told['best'][0]}")
    assert best["assignments"]["x"] == max(point["x"] for point in told["points"])
    assert told["fixed"] is True
    assert told["renamed"] == ["E2", 9]
    manual = writer.ok("GET", f"/v1/training_runs/{told['manual']}")
    assert (manual["name"], manual["metadata"], manual["state"]) == ("manual", {"a": 1}, "failed")
    assert told["wrong"][0] == 400
    assert "bounds" in told["wrong"][1]
    experiment = writer.ok("GET", f"/v1/aiexperiments/{told['id']}")
    assert (experiment["state"], experiment["progress"]["remaining_budget"]) == ("active", 0)


def test_the_core_api_suggests_and_observes(official_client, writer):
    told = printed(official_client.run(writer, "python", str(CLIENTS / "experiments_core.py")))
    assert told["task"] in ("cheap", "true")
    assert (told["value"], told["batch"], told["listed"]) == ([1.0, 0.1], 1, 1)
    assert (told["noted"], told["waiting"], len(told["ranked"])) == ({"a": 1}, 1, 3)
    assert told["best"][1] == (2 if told["task"] == "cheap" else max(1.0, told["best"][1]))
    assert (told["stop"], told["unclear"], told["count"], told["budget"]) == (False, 422, 3, 30)
    assert (told["plain"], told["state"]) == (1.5, "deleted")


def test_the_command_line_optimizes_and_archives(official_client, writer):
    writer.call("POST", "/v1/clients/1/projects", {"id": "cli", "name": "cli"})
    script = ("python", str(CLIENTS / "depth.py"))
    official_client.run(writer, "sigopt", "optimize", "-e", str(CLIENTS / "optimize.yml"), "--", *script,
               SIGOPT_PROJECT="cli")  # fmt: skip
    (experiment,) = writer.ok("GET", "/v1/clients/1/projects/cli/aiexperiments")["data"]
    assert experiment["progress"]["finished_run_count"] == 3
    runs = writer.ok("GET", "/v1/clients/1/projects/cli/training_runs")["data"]
    assert all(run["values"]["accuracy"]["value"] == run["assignments"]["max_depth"] / 2 for run in runs)
    writer.ok("PUT", f"/v1/aiexperiments/{experiment['id']}", {"budget": 5})
    official_client.run(writer, "sigopt", "start-worker", experiment["id"], *script, SIGOPT_PROJECT="cli")
    found = writer.ok("GET", f"/v1/aiexperiments/{experiment['id']}")
    assert (found["progress"]["finished_run_count"], found["progress"]["remaining_budget"]) == (5, 0)
    official_client.run(writer, "sigopt", "archive", "experiment", experiment["id"], SIGOPT_PROJECT="cli")
    assert writer.ok("GET", f"/v1/aiexperiments/{experiment['id']}")["state"] == "deleted"
