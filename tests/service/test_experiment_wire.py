"""Experiments of both families, suggestions, observations and insights, by plain HTTP."""

import pytest

AI = "/v1/clients/1/projects/demo/aiexperiments"
CORE = "/v1/experiments"
SPACE = [
    {"name": "y", "type": "int", "bounds": {"min": 1, "max": 5}},
    {"name": "x", "type": "double", "bounds": {"min": 0.01, "max": 1.0}, "transformation": "log"},
    {"name": "act", "type": "categorical", "categorical_values": ["tanh", "relu"]},
]
METRICS = [
    {"name": "f", "objective": "maximize"},
    {"name": "size", "objective": "minimize", "strategy": "constraint", "threshold": 10.0},
    {"name": "t", "strategy": "store"},
]


@pytest.fixture(scope="module")
def project(writer):
    writer.ok("POST", "/v1/clients/1/projects", {"id": "demo", "name": "Demo"})


@pytest.fixture
def ai(writer, project):
    body = {"name": "E", "parameters": SPACE, "metrics": METRICS, "budget": 3, "metadata": {"k": "v"}}
    return writer.ok("POST", AI, body)


@pytest.fixture
def core(writer):
    body = {
        "name": "Franke",
        "parameters": [
            {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}},
            {"name": "z", "type": "double", "bounds": {"min": 0, "max": 1}},
        ],
        "metrics": [{"name": "f", "objective": "maximize"}],
        "observation_budget": 20,
        "type": "random",
    }
    return writer.ok("POST", CORE, body)


def at(experiment, *parts):
    return "/".join((CORE, experiment["id"], *parts))


def ai_at(experiment, *parts):
    return "/".join(("/v1/aiexperiments", experiment["id"], *parts))


def report(writer, run, **values):
    for name, value in values.items():
        writer.ok("MERGE", f"/v1/training_runs/{run['id']}", {"values": {name: {"value": value}}})
    return writer.ok("MERGE", f"/v1/training_runs/{run['id']}", {"state": "completed"})


def observed(writer, core, x, f, **more):
    body = {"assignments": {"x": x, "z": 0.5}, "values": [{"name": "f", "value": f}], **more}
    return writer.ok("POST", at(core, "observations"), body)


def test_an_experiment_shows_every_field_that_the_old_client_reads(ai):
    assert (ai["object"], ai["type"], ai["state"], ai["runs_only"]) == (
        "aiexperiment", "offline", "active", True,
    )  # fmt: skip
    assert [item["name"] for item in ai["parameters"]] == ["act", "x", "y"]
    assert [item["name"] for item in ai["metrics"]] == ["f", "size", "t"]
    act, x, _ = ai["parameters"]
    assert act["categorical_values"] == [
        {"object": "categorical_value", "name": "tanh", "enum_index": 1},
        {"object": "categorical_value", "name": "relu", "enum_index": 2},
    ]
    assert (act["bounds"], x["categorical_values"], x["prior"]) == (None, None, None)
    assert x["bounds"] == {"object": "bounds", "min": 0.01, "max": 1.0}
    assert (x["transformation"], ai["metadata"], ai["budget"]) == ("log", {"k": "v"}, 3)
    assert ai["progress"] == {
        "object": "aiexperiment_progress", "active_run_count": 0, "finished_run_count": 0,
        "total_run_count": 0, "remaining_budget": 3,
    }  # fmt: skip


def test_the_service_accepts_what_it_prints(writer, ai, core):
    assert writer.ok("PUT", ai_at(ai), ai) == writer.ok("GET", ai_at(ai))
    assert writer.ok("PUT", at(core), core)["parameters"] == core["parameters"]


def test_a_loop_ends_with_the_budget(writer, ai):
    made = []
    while writer.ok("GET", ai_at(ai))["progress"]["remaining_budget"] > 0:
        run = writer.ok("POST", ai_at(ai, "training_runs"), {"name": "r", "metadata": None})
        made.append(run)
        assert set(run["assignments"]) == {"x", "y", "act"}
        report(writer, run, f=run["assignments"]["y"], size=3, t=1)
    assert len(made) == 3
    answer = writer.call("POST", ai_at(ai, "training_runs"), {"name": "one more"})
    assert (answer.status, "budget is used up" in answer.json["message"]) == (409, True)
    best = writer.ok("GET", ai_at(ai, "best_training_runs"))["data"]
    assert best[0]["assignments"]["y"] == max(run["assignments"]["y"] for run in made)


def test_a_run_that_forgets_a_metric_is_a_failure(writer, ai):
    run = writer.ok("POST", ai_at(ai, "training_runs"), {"name": "r"})
    done = report(writer, run, f=1)
    assert (done["state"], done["end"]) == ("failed", "failed")
    assert "size" in done["failure"]["message"]


def test_a_run_made_elsewhere_is_recorded_with_its_end(writer, ai):
    own = {"x": 0.5, "y": 2, "act": "relu", "note": "not of the experiment"}
    values = {"f": {"value": 9}, "size": {"value": 1}, "t": {"value": 0}}
    body = {"assignments": own, "values": values, "state": "completed"}
    run = writer.ok("POST", ai_at(ai, "training_runs"), body)
    assert (run["state"], run["assignments"], run["origin"]) == ("completed", own, "user")


def test_old_misuses_are_refused_by_name(writer, project):
    x = {"name": "x", "type": "double"}
    bounded = {**x, "bounds": {"min": 0, "max": 1}}
    for body, field in [
        ({"name": "E", "parameters": [x], "metrics": [{"name": "f"}]}, "x.bounds"),
        ({"name": "E", "parameters": [bounded]}, "metrics"),
        (
            {"name": "E", "parameters": [bounded], "metrics": [{"name": "f"}], "observation_budget": 3},
            "budget",
        ),
        ({"parameters": [bounded], "metrics": [{"name": "f"}]}, "name"),
        ({"name": "E", "parameters": [bounded], "metrics": [{"name": "f"}], "project": "demo"}, "project"),
    ]:
        answer = writer.call("POST", AI, body)
        assert answer.status == 400, body
        assert field in answer.json["message"]
    assert writer.call("POST", "/v1/clients/1/projects/nope/aiexperiments", {"name": "E"}).status == 404


def test_what_would_make_the_past_meaningless_cannot_change(writer, ai):
    assert writer.call("PUT", ai_at(ai), {"metrics": [{"name": "f"}]}).status == 400
    assert writer.call("PUT", ai_at(ai), {"num_solutions": 2}).status == 400
    assert writer.call("PUT", ai_at(ai), {"parameters": ai["parameters"][:2]}).status == 400
    changed = writer.ok("PUT", ai_at(ai), {"name": "E2", "budget": 4, "parallel_bandwidth": 2})
    assert (changed["name"], changed["budget"], changed["parallel_bandwidth"]) == ("E2", 4, 2)
    assert writer.ok("PUT", ai_at(ai), {"parallel_bandwidth": None})["parallel_bandwidth"] is None


def test_archived_experiments_make_no_runs_and_come_back(writer, ai):
    writer.ok("DELETE", at(ai))  # the old command line archives AI experiments so
    assert writer.ok("GET", ai_at(ai))["state"] == "deleted"
    assert ai["id"] not in [item["id"] for item in writer.ok("GET", AI)["data"]]
    assert writer.call("POST", ai_at(ai, "training_runs"), {}).status == 400
    assert writer.ok("PUT", ai_at(ai), {"state": "active"})["state"] == "active"
    writer.ok("POST", ai_at(ai, "training_runs"), {})
    writer.ok("DELETE", ai_at(ai) + "?include_runs=True")
    assert writer.ok("GET", ai_at(ai))["progress"]["total_run_count"] == 0


def test_an_unnamed_metric_needs_no_name(writer):
    body = {"name": "c", "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}]}
    experiment = writer.ok("POST", "/v1/clients/1/experiments", body)
    suggestion = writer.ok("POST", at(experiment, "suggestions"), {})
    found = writer.ok(
        "POST", at(experiment, "observations"), {"suggestion": suggestion["id"], "values": [{"value": 1.5}]}
    )
    assert (found["value"], found["failed"]) == (1.5, False)


def test_a_suggestion_is_open_until_it_is_observed_once(writer, core):
    suggestion = writer.ok("POST", at(core, "suggestions"), {})
    assert (suggestion["object"], suggestion["state"]) == ("suggestion", "open")
    body = {
        "suggestion": suggestion["id"],
        "values": [{"name": "f", "value": 1.0, "value_stddev": 0.1}],
        "metadata": {"host": "h"},
    }
    first = writer.ok("POST", at(core, "observations"), body)
    assert first["values"][0]["value_stddev"] == 0.1
    assert first["metadata"] == {"host": "h"}
    assert writer.ok("POST", at(core, "observations"), body)["id"] == first["id"]
    other = {**body, "values": [{"name": "f", "value": 2.0}]}
    assert writer.call("POST", at(core, "observations"), other).status == 409
    assert writer.ok("GET", at(core, "suggestions", suggestion["id"]))["state"] == "closed"
    assert writer.ok("GET", at(core))["progress"]["observation_count"] == 1


def test_suggestions_can_be_listed_annotated_and_deleted(writer, core):
    made = [writer.ok("POST", at(core, "suggestions"), {}) for _ in range(3)]
    page = writer.ok("GET", at(core, "suggestions") + "?state=open&limit=2")
    assert (page["count"], [item["id"] for item in page["data"]]) == (3, [made[2]["id"], made[1]["id"]])
    older = writer.ok("GET", at(core, "suggestions") + f"?limit=2&before={page['paging']['before']}")
    assert [item["id"] for item in older["data"]] == [made[0]["id"]]
    noted = writer.ok("PUT", at(core, "suggestions", made[0]["id"]), {"metadata": {"a": 1}})
    assert noted["metadata"] == {"a": 1}
    writer.ok("DELETE", at(core, "suggestions", made[0]["id"]))
    assert writer.call("GET", at(core, "suggestions", made[0]["id"])).status == 404
    writer.ok("DELETE", at(core, "suggestions") + "?state=open")
    assert writer.ok("GET", at(core, "suggestions"))["count"] == 0


def test_queued_points_are_handed_out_first_and_once(writer, core):
    point = {"x": 0.25, "z": 0.75}
    queued = writer.ok("POST", at(core, "queued_suggestions"), {"assignments": point})
    gone = writer.ok("POST", at(core, "queued_suggestions"), {"assignments": {"x": 0.1, "z": 0.1}})
    assert writer.ok("GET", at(core, "queued_suggestions"))["count"] == 2
    writer.ok("DELETE", at(core, "queued_suggestions", gone["id"]))
    assert writer.ok("POST", at(core, "suggestions"), {})["assignments"] == point
    assert writer.call("GET", at(core, "queued_suggestions", queued["id"])).status == 404
    assert writer.ok("POST", at(core, "suggestions"), {})["assignments"] != point


def test_own_points_may_lie_outside_the_bounds_and_must_be_legal(writer, core):
    found = writer.ok("POST", at(core, "suggestions"), {"assignments": {"x": 1.5, "z": 0}})
    assert (found["assignments"], found["origin"]) == ({"x": 1.5, "z": 0}, "user")
    assert writer.call("POST", at(core, "suggestions"), {"assignments": {"x": 1}}).status == 400
    assert writer.call("POST", at(core, "suggestions"), {"assignments": {"x": 1, "q": 2}}).status == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "suggestion"),
        ({"suggestion": "1", "assignments": {}}, "suggestion"),
        ({"assignments": {"x": 0, "z": 0}}, "values"),
        ({"assignments": {"x": 0, "z": 0}, "values": [{"name": "f", "value": 1}], "failed": True}, "values"),
        ({"assignments": {"x": 0, "z": 0}, "values": [{"name": "g", "value": 1}]}, "values[0].name"),
        ({"assignments": {"x": 0, "z": 0}, "values": [{"name": "f", "value": "1"}]}, "values[0]"),
        ({"assignments": {"x": 0, "z": 0}, "failed": True, "color": "red"}, "color"),
    ],
)
def test_an_observation_that_breaks_a_rule_is_refused(writer, core, body, field):
    answer = writer.call("POST", at(core, "observations"), body)
    assert (answer.status, field in answer.json["message"]) == (400, True)
    assert writer.ok("GET", at(core, "observations"))["count"] == 0


def test_observations_are_sorted_corrected_and_deleted(writer, core):
    low, high = observed(writer, core, 0.1, 1), observed(writer, core, 0.2, 2)
    failed = writer.ok("POST", at(core, "observations"), {"assignments": {"x": 0.3, "z": 0}, "failed": True})
    listed = writer.ok("GET", at(core, "observations") + "?sort=value-f")["data"]
    assert [item["id"] for item in listed] == [high["id"], low["id"], failed["id"]]
    better = writer.ok("PUT", at(core, "observations", low["id"]), {"values": [{"name": "f", "value": 5}]})
    assert better["value"] == 5
    best = writer.ok("GET", at(core, "best_assignments"))["data"][0]
    assert (best["assignments"]["x"], best["value"]) == (0.1, 5)
    writer.ok("DELETE", at(core, "observations", low["id"]))
    assert writer.ok("GET", at(core, "best_assignments"))["data"][0]["value"] == 2
    writer.ok("DELETE", at(core, "observations"))
    assert writer.ok("GET", at(core))["progress"]["observation_count"] == 0


def test_a_batch_is_all_or_nothing_and_in_order(writer, core):
    suggestion = writer.ok("POST", at(core, "suggestions"), {})
    good = [
        {"assignments": {"x": 0.1, "z": 0.1}, "values": [{"name": "f", "value": 1}]},
        {"suggestion": suggestion["id"], "values": [{"name": "f", "value": 2}]},
        {"assignments": {"x": 0.3, "z": 0.1}, "failed": True},
    ]
    bad = [*good, {"assignments": {"x": "a"}, "failed": True}]
    path = at(core, "observations", "batch")
    answer = writer.call("POST", path, {"observations": bad})
    assert (answer.status, "observations[3]" in answer.json["message"]) == (400, True)
    assert writer.ok("POST", path, {"observations": good, "dry_run": True})["count"] == 0
    assert writer.ok("GET", at(core, "observations"))["count"] == 0
    found = writer.ok("POST", path, {"observations": good, "no_optimize": True})
    assert [item["values"][0]["value"] if item["values"] else None for item in found["data"]] == [1, 2, None]
    assert found["data"][1]["suggestion"] == suggestion["id"]


def test_a_repeated_batch_with_a_key_is_one_batch(writer, core):
    body = {"observations": [{"assignments": {"x": 0.1, "z": 0.1}, "failed": True}] * 3}
    headers = {"Idempotency-Key": "batch-1"}
    path = at(core, "observations", "batch")
    first = writer.ok("POST", path, body, headers=headers)
    again = writer.ok("POST", path, body, headers=headers)
    assert [item["id"] for item in again["data"]] == [item["id"] for item in first["data"]]
    assert writer.ok("GET", at(core, "observations"))["count"] == 3


def test_insights(writer, core):
    assert writer.call("GET", at(core, "metric_importances")).status == 422
    for place in range(21):
        observed(writer, core, place / 20, place / 20)
    found = writer.ok("GET", at(core, "metric_importances"))["data"][0]
    assert found["metric"] == "f"
    assert found["importances"]["x"] > 0.9
    stopping = writer.ok("GET", at(core, "stopping_criteria"))
    assert stopping["should_stop"]
    assert "observation_budget_reached" in stopping["reasons"]
    advice = writer.ok("GET", at(core, "best_practices"))
    assert (advice["no_violations"], "budget" in advice["violations"][0]) == (False, True)
    assert writer.ok("DELETE", at(core, "hyperparameters")) == {}


def test_a_core_experiment_goes_on_beyond_its_budget(writer, core):
    writer.ok("PUT", at(core), {"observation_budget": 1})
    for _ in range(2):
        writer.ok("POST", at(core, "suggestions"), {})


def test_tasks_are_named_by_whoever_brings_the_point(writer):
    body = {
        "name": "t",
        "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
        "metrics": [{"name": "f"}],
        "observation_budget": 5,
        "tasks": [{"name": "cheap", "cost": 0.1}, {"name": "true", "cost": 1}],
    }
    experiment = writer.ok("POST", CORE, body)
    assert [item["name"] for item in experiment["tasks"]] == ["true", "cheap"]
    values = [{"name": "f", "value": 1}]
    refused = writer.call("POST", at(experiment, "observations"), {"assignments": {"x": 0}, "values": values})
    assert (refused.status, "task" in refused.json["message"]) == (400, True)
    found = writer.ok(
        "POST", at(experiment, "observations"), {"assignments": {"x": 0}, "task": "cheap", "values": values}
    )
    assert found["task"] == {"object": "task", "name": "cheap", "cost": 0.1}
    assert writer.ok("GET", at(experiment))["progress"]["observation_budget_consumed"] == 0.1
    assert writer.ok("POST", at(experiment, "suggestions"), {})["task"]["name"] in ("cheap", "true")


def test_strangers_and_readers_are_kept_out(writer, reader, nobody, core):
    assert nobody.call("POST", at(core, "suggestions"), {}).status == 401
    assert reader.call("POST", at(core, "suggestions"), {}).status == 403
    assert reader.call("GET", at(core)).status == 200
    assert writer.call("GET", CORE + "/999999").status == 404
    assert writer.call("GET", CORE + "/1e3").status == 404


def test_a_guest_sees_one_experiment(writer, host, core, ai):
    from heliostat.testing.service import Caller

    guest = Caller(host, writer.ok("POST", at(core, "tokens"), {})["token"])
    assert guest.ok("GET", at(core))["id"] == core["id"]
    assert guest.call("GET", ai_at(ai)).status == 404
    assert guest.call("GET", CORE).status == 403
    assert guest.call("POST", at(core, "suggestions"), {}).status == 403


def test_a_report_is_one_file_in_two_forms_for_two_readers(writer, nobody, core):
    observed(writer, core, 0.25, 1.5)
    found = {}
    for form in ("html", "markdown"):
        for metrics in ("false", "true"):
            asked = f"?format={form}&metrics={metrics}&title=First%20bowl&comment=%3Cb%3E"
            answer = writer.call("GET", at(core, "report") + asked)
            assert answer.status == 200
            assert answer.headers["content-type"] == f"text/{form}; charset=utf-8"
            assert answer.headers["content-security-policy"] == "sandbox"
            assert "attachment" in answer.headers["content-disposition"]
            found[form, metrics] = answer.content.decode()
            assert "First bowl" in found[form, metrics]
    assert "&lt;b&gt;" in found["html", "false"]
    assert len(set(found.values())) == 4
    assert writer.call("GET", at(core, "report") + "?format=pdf").json["field"] == "format"
    assert nobody.call("GET", at(core, "report")).status == 401


def test_a_report_is_written_anew_when_the_experiment_has_changed(writer, core):
    where = at(core, "report") + "?format=html"
    observed(writer, core, 0.25, 1.5)
    before = writer.call("GET", where).content
    assert writer.call("GET", where).content == before  # the moment of its writing stands in it
    observed(writer, core, 0.75, 0.5)
    assert writer.call("GET", where).content != before
    assert writer.call("GET", where + "&title=Another").content != writer.call("GET", where).content
