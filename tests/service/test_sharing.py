"""A guest of a project: all of it, nothing else, and no change."""

import pytest

from heliostat.testing.service import Caller

PROJECT = "/v1/clients/1/projects/shared"
DECLARED = {
    "name": "shown",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "loss", "objective": "minimize"}],
    "budget": 8,
    "searcher": "sobol",
}


@pytest.fixture(scope="module")
def shelf(writer):
    """Ids of a run and an experiment (with a run of its own) of the project, and of others elsewhere."""
    made = {}
    for place, project in (("here", "shared"), ("elsewhere", "private")):
        path = f"/v1/clients/1/projects/{project}"
        made[place, "run"] = writer.ok("POST", f"{path}/training_runs", {"name": place})["id"]
        experiment = writer.ok("POST", f"{path}/aiexperiments", DECLARED)["id"]
        asked = writer.ok("POST", f"/v1/experiments/{experiment}/ask", {})["runs"][0]["id"]
        made[place, "experiment"], made[place, "asked"] = experiment, asked
    return made


@pytest.fixture(scope="module")
def guest(host, writer, shelf):
    shared = writer.ok("POST", f"{PROJECT}/tokens", {})
    assert (shared["token_type"], shared["permissions"], shared["project"]) == ("guest", "read", "shared")
    return Caller(host, shared["token"])


def paths(shelf, place):
    run, experiment, asked = (shelf[place, what] for what in ("run", "experiment", "asked"))
    return [
        f"/v1/training_runs/{run}",
        f"/v1/training_runs/{run}/checkpoints",
        f"/v1/training_runs/{run}/files",
        f"/v1/training_runs/{asked}",
        f"/v1/experiments/{experiment}",
        f"/v1/experiments/{experiment}/observations",
        f"/v1/experiments/{experiment}/report",
        f"/v1/events?experiment={experiment}",
        f"/runs/{run}",
        f"/experiments/{experiment}",
        f"/experiments/{experiment}/runs",
        f"/experiments/{experiment}/runs.csv",
    ]


def lists(project):
    return [
        f"/v1/clients/1/projects/{project}",
        f"/v1/clients/1/projects/{project}/notes",
        f"/v1/clients/1/projects/{project}/training_runs",
        f"/v1/clients/1/projects/{project}/experiments",
        f"/v1/clients/1/projects/{project}/aiexperiments",
        f"/projects/{project}/runs.json",
    ]


def test_all_of_the_project_is_shown(guest, shelf):
    for path in [*paths(shelf, "here"), *lists("shared"), "/projects/shared"]:
        assert guest.call("GET", path).status == 200, path
    runs = guest.ok("GET", f"{PROJECT}/training_runs")["data"]
    assert {run["id"] for run in runs} == {shelf["here", "run"], shelf["here", "asked"]}


def test_of_the_rest_a_guest_learns_nothing(guest, writer, shelf):
    for path in paths(shelf, "elsewhere"):
        assert guest.call("GET", path).status == 404, path
    for path in lists("private"):
        assert guest.call("GET", path).status == 403, path
    assert guest.call("GET", "/projects/private").status == 404
    for path in (
        "/v1/clients/1/projects",
        "/v1/clients/1/training_runs",
        "/v1/experiments",
        "/metrics",
        "/runs",
    ):
        assert guest.call("GET", path).status == 403, path
    experiment = shelf["elsewhere", "experiment"]
    missing = str(int(experiment) + 1000)
    hidden, unknown = (guest.call("GET", f"/v1/experiments/{id}").json for id in (experiment, missing))
    assert hidden["code"] == unknown["code"]
    assert hidden["message"].replace(f"got {experiment}", "") == unknown["message"].replace(
        f"got {missing}", ""
    )
    assert writer.call("GET", f"/v1/experiments/{experiment}").status == 200


def test_a_guest_changes_nothing_and_shares_nothing(guest, shelf):
    run, experiment = shelf["here", "run"], shelf["here", "experiment"]
    for method, path, body in (
        ("POST", f"{PROJECT}/training_runs", {}),
        ("POST", f"{PROJECT}/notes", {"contents": "mine"}),
        ("POST", f"{PROJECT}/tokens", {}),
        ("MERGE", f"/v1/training_runs/{run}", {"favorite": True}),
        ("POST", f"/v1/experiments/{experiment}/ask", {}),
        ("POST", f"/v1/experiments/{experiment}/tokens", {}),
        ("DELETE", f"/v1/aiexperiments/{experiment}", {}),
    ):
        assert guest.call(method, path, body).status == 403, path


def test_a_project_that_is_not_there_cannot_be_shared(writer):
    assert writer.call("POST", "/v1/clients/1/projects/nowhere/tokens", {}).status == 404


def test_a_frozen_report_is_shared_without_the_runs_behind_it(host, writer, shelf):
    experiment = shelf["here", "experiment"]
    at = f"/v1/experiments/{experiment}/reports"
    body = {"title": "Ready?", "comment": "Monday <b>then</b>", "kind": "metrics"}
    key = {"Idempotency-Key": "freeze-once"}
    made = writer.call("POST", at, body, headers=key).json
    assert writer.call("POST", at, body, headers=key).json == made
    assert (made["title"], made["kind"], made["user"]) == ("Ready?", "metrics", "wim")
    assert [item["id"] for item in writer.ok("GET", at)["data"]] == [made["id"]]
    guest = Caller(host, writer.ok("POST", f"/v1/reports/{made['id']}/tokens", {})["token"])
    before = guest.call("GET", f"/reports/{made['id']}")
    assert before.status == 200
    assert before.headers["content-security-policy"].startswith("sandbox")
    assert b"Ready?" in before.content
    assert b"<b>then</b>" not in before.content
    writer.ok("POST", f"/v1/experiments/{experiment}/ask", {})
    assert guest.call("GET", f"/reports/{made['id']}").content == before.content
    assert guest.ok("GET", f"/v1/reports/{made['id']}")["place"] == made["place"]
    other = writer.ok("POST", f"/v1/experiments/{shelf['elsewhere', 'experiment']}/reports", {})["id"]
    for path in (
        f"/v1/experiments/{experiment}",
        f"/experiments/{experiment}",
        at,
        f"/v1/reports/{other}",
        f"/reports/{other}",
        f"/v1/training_runs/{shelf['here', 'run']}",
    ):
        assert guest.call("GET", path).status == 404, path
    assert guest.call("POST", at, {}).status == 403
    assert guest.call("GET", "/").status == 303


def test_who_sees_an_experiment_or_its_project_sees_its_reports(host, writer, guest, shelf):
    experiment = shelf["here", "experiment"]
    made = writer.ok("POST", f"/v1/experiments/{experiment}/reports", {"title": "for guests"})["id"]
    of_experiment = Caller(host, writer.ok("POST", f"/v1/experiments/{experiment}/tokens", {})["token"])
    for caller in (guest, of_experiment):
        assert caller.call("GET", f"/reports/{made}").status == 200
        assert made in [
            item["id"] for item in caller.ok("GET", f"/v1/experiments/{experiment}/reports")["data"]
        ]
    for body in ({"kind": "novel"}, {"titel": "x"}, {"title": "x" * 201}):
        assert writer.call("POST", f"/v1/experiments/{experiment}/reports", body).status == 400
