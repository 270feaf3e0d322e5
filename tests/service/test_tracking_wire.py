"""The tracking half of SigOpt's v1 wire, by plain HTTP."""

import base64
import hashlib
import json
import urllib.parse

import pytest

RUNS = "/v1/clients/1/projects/demo/training_runs"


@pytest.fixture
def run(writer):
    return writer.ok("POST", RUNS, {"name": "seed run", "metadata": None})


def path(run):
    return f"/v1/training_runs/{run['id']}"


def merge(writer, run, body):
    answer = writer.call("MERGE", path(run), body, headers={"X-Response-Content": "skip"})
    assert (answer.status, answer.content) == (204, b"")


def test_a_run_lives_from_its_creation_to_its_end(writer, run):
    assert run["object"] == "training_run"
    assert (run["state"], run["finished"], run["assignments"], run["name"]) == (
        "active",
        False,
        {},
        "seed run",
    )
    assert (run["project"], run["client"], run["user"], run["experiment"]) == ("demo", "1", "wim", None)
    merge(writer, run, {"datasets": {"iris": {}}})
    merge(writer, run, {"metadata": {"Dataset Rows": 150}})
    merge(writer, run, {"model": {"type": "XGB"}})
    merge(writer, run, {"assignments": {"a": 1, "b": "x", "lr": 0.5}})
    merge(writer, run, {"assignments": {"a": None}})
    merge(writer, run, {"assignments_meta": {"b": {"source": "mysrc"}}})
    merge(writer, run, {"assignments_sources": {"mysrc": {"sort": 5, "default_show": True}}})
    merge(writer, run, {"values": {"time (s)": {"value": 1.25, "value_stddev": 0.5}, "m": {"value": 2}}})
    merge(writer, run, {"source_code": {"content": "print(1)", "hash": "abc"}})
    merge(writer, run, {"logs": {"stdout": {"content": "x" * 3000}, "stderr": {"content": "e"}}})
    merge(writer, run, {"sys_metadata": {"feature_importances": {"type": "weight", "scores": {"f": 1}}}})
    merge(writer, run, {"state": "completed"})
    found = writer.ok("GET", path(run))
    assert (found["state"], found["finished"], found["end"]) == ("completed", True, "completed")
    assert found["completed"] >= found["created"]
    assert found["assignments"] == {"b": "x", "lr": 0.5}
    assert found["assignments_meta"]["b"]["source"] == "mysrc"
    assert found["assignments_sources"]["mysrc"] == {
        "object": "assignment_source", "sort": 5, "default_show": True,
    }  # fmt: skip
    assert found["values"]["time (s)"] == {
        "object": "metric_evaluation", "name": "time (s)", "value": 1.25, "value_stddev": 0.5,
    }  # fmt: skip
    assert found["values"]["m"]["value_stddev"] is None
    assert (found["metadata"], list(found["datasets"])) == ({"Dataset Rows": 150}, ["iris"])
    assert found["model"]["type"] == "XGB"
    assert (found["source_code"]["content"], found["source_code"]["hash"]) == ("print(1)", "abc")
    assert found["logs"]["stdout"]["content"] == "x" * 3000
    assert found["sys_metadata"]["feature_importances"]["scores"] == {"f": 1}


def test_merge_is_deep_and_null_removes(writer, run):
    writer.ok("MERGE", path(run), {"assignments_sources": {"s": {"sort": 1, "default_show": True}}})
    found = writer.ok("MERGE", path(run), {"assignments_sources": {"s": {"sort": 2}, "t": {"sort": 3}}})
    assert found["assignments_sources"]["s"]["default_show"] is True
    assert found["assignments_sources"]["s"]["sort"] == 2
    found = writer.ok("PATCH", path(run), {"values": {"m": {"value": 1}, "n": {"value": 2}}})
    found = writer.ok("PATCH", path(run), {"values": {"m": None}, "assignments_sources": {"t": None}})
    assert list(found["values"]) == ["n"]
    assert list(found["assignments_sources"]) == ["s"]


def test_put_replaces_whole_mappings_and_leaves_the_others(writer, run):
    writer.ok("MERGE", path(run), {"metadata": {"a": 1, "b": 2}, "assignments": {"x": 1}})
    found = writer.ok("PUT", path(run), {"metadata": {"c": 3}, "favorite": True})
    assert found["metadata"] == {"c": 3}
    assert found["assignments"] == {"x": 1}
    assert found["favorite"] is True
    assert writer.ok("PUT", path(run), {"metadata": {}})["metadata"] is None


def test_an_archived_run_is_hidden_and_comes_back(writer, run):
    assert writer.ok("DELETE", path(run)) == {}
    assert writer.ok("GET", path(run))["deleted"] is True
    assert run["id"] not in [item["id"] for item in writer.ok("GET", RUNS)["data"]]
    assert writer.ok("PUT", path(run), {"deleted": False})["deleted"] is False


def test_a_failed_run_says_so_and_failed_outranks_completed(writer, run):
    writer.ok("MERGE", path(run), {"state": "completed"})
    found = writer.ok("MERGE", path(run), {"state": "failed"})
    assert (found["state"], found["failure"]["kind"], found["finished"]) == ("failed", "user_error", False)
    assert writer.ok("MERGE", path(run), {"state": "failed"})["state"] == "failed"
    refused = writer.call("MERGE", path(run), {"state": "active"})
    assert refused.status == 409


def test_a_repeated_creation_is_one_run(writer):
    key = {"Idempotency-Key": "try-1"}
    first, second = (
        writer.ok("POST", RUNS, {"values": {"m": {"value": 1}}, "state": "completed"}, headers=key)
        for _ in "ab"
    )
    assert first["id"] == second["id"]
    assert writer.call("POST", RUNS, {"name": "other"}, headers=key).status == 409


def test_batches_are_whole_or_not_at_all(writer):
    runs = [
        {"name": "u1", "assignments": {"x": 1}, "values": {"f": {"value": 1.0}}, "state": "completed"},
        {"name": "u2", "state": "failed"},
        {},
    ]
    page = writer.ok("POST", RUNS + "/batch", {"runs": runs, "fields": "id"})
    assert (page["object"], page["count"]) == ("pagination", 3)
    assert all(list(item) == ["id"] for item in page["data"])
    states = [writer.ok("GET", f"/v1/training_runs/{item['id']}")["state"] for item in page["data"]]
    assert states == ["completed", "failed", "active"]
    before = writer.ok("GET", RUNS + "?limit=0")["count"]
    refused = writer.call("POST", RUNS + "/batch", {"runs": [{}, {"name": 7}]})
    assert refused.status == 400
    assert refused.json["field"] == "runs[1].name"
    assert writer.ok("GET", RUNS + "?limit=0")["count"] == before


def test_lists_are_filtered_sorted_paged_and_say_what_the_runs_hold(writer):
    runs = "/v1/clients/1/projects/lists/training_runs"
    bodies = [
        {
            "name": f"r{place}",
            "assignments": {"lr": place},
            "values": {"loss": {"value": 10.0 - place}},
            "state": "completed",
        }
        for place in range(5)
    ]
    writer.ok("POST", f"{runs}/batch", {"runs": [*bodies, {"name": "active"}]})
    names = [item["name"] for item in writer.ok("GET", runs)["data"]]
    assert names == ["active", "r4", "r3", "r2", "r1", "r0"]

    def ask(**query):
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
        return writer.ok("GET", f"{runs}?{urllib.parse.urlencode(texts)}")

    filters = [{"field": "state", "operator": "==", "value": "completed"},
               {"field": "assignments.lr", "operator": ">=", "value": 2}]  # fmt: skip
    page = ask(filters=filters, sort="values.loss.value", ascending="True", limit="2")
    assert [item["name"] for item in page["data"]] == ["r4", "r3"]
    assert page["count"] == 3
    after = ask(
        filters=filters,
        sort="values.loss.value",
        ascending="True",
        limit="2",
        before=page["paging"]["before"],
    )
    assert [item["name"] for item in after["data"]] == ["r2"]
    assert after["paging"]["before"] is None
    fields = {item["key"]: item for item in ask(filters=filters)["defined_fields"]}
    assert (fields["assignments.lr"]["type"], fields["values.loss.value"]["count"]) == ("number", 3)
    assert [item["name"] for item in ask(search="R1", fields="name,id")["data"]] == ["r1"]
    assert set(ask(limit="1", fields=["id"])["data"][0]) == {"id"}
    assert ask(limit="1")["data"][0]["checkpoint_count"] is None


def test_checkpoints_count_their_steps(writer, run):
    curve = path(run) + "/checkpoints"
    answer = writer.call(
        "POST", curve, {"values": [{"name": "loss", "value": 0.5}]}, headers={"X-Response-Content": "skip"}
    )
    assert answer.status == 204
    body = {"values": [{"name": "loss", "value": 0.25, "value_stddev": 0.1}], "metadata": {"epoch": 2}}
    second = writer.ok("POST", curve, body)
    assert (second["object"], second["id"], second["should_stop"]) == ("checkpoint", "2", False)
    assert second["metadata"] == {"epoch": 2}
    assert second["values"] == [
        {"object": "metric_evaluation", "name": "loss", "value": 0.25, "value_stddev": 0.1}
    ]
    assert writer.ok("POST", curve, {"values": [{"name": "acc", "value": 1}], "step": 40})["id"] == "40"
    page = writer.ok("GET", curve)
    assert [item["id"] for item in page["data"]] == ["40", "2", "1"]
    assert writer.ok("GET", curve + "/1")["values"][0]["value"] == 0.5
    assert writer.call("GET", curve + "/3").status == 404
    found = writer.ok("GET", path(run))
    assert (found["checkpoint_count"], found["sys_metadata"]) == (3, {})


def test_a_file_is_uploaded_at_an_address_of_ours(writer, nobody, run):
    content = b"\x89PNG not really"
    md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
    body = {"content_length": len(content), "content_md5": md5, "content_type": "image/png", "name": "img"}
    asked = writer.ok("POST", path(run) + "/files", {**body, "filename": None})
    upload = asked["upload"]
    assert (upload["method"], upload["headers"]["Content-MD5"]) == ("PUT", md5)
    address = upload["url"].removeprefix(writer.url)
    wrong = nobody.call("PUT", address, content=b"other contents!", headers=upload["headers"])
    assert wrong.status == 400
    assert wrong.json["field"] == "content_md5"
    assert nobody.call("PUT", address, content=content[:-1], headers=upload["headers"]).status == 400
    stored = nobody.ok("PUT", address, content=content, headers=upload["headers"])
    assert nobody.ok("PUT", address, content=content, headers=upload["headers"])["id"] == stored["id"]
    assert writer.ok("GET", path(run))["files"] == [stored["id"]]
    file = writer.ok("GET", f"/v1/files/{stored['id']}")
    assert (file["content_length"], file["content_md5"], file["name"]) == (len(content), md5, "img")
    got = nobody.call("GET", file["download"]["url"].removeprefix(writer.url))
    assert (got.content, got.headers["content-type"]) == (content, "image/png")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


def test_projects_come_into_being_and_are_named(writer, reader):
    unknown = writer.ok("GET", "/v1/clients/1/projects/not-yet")
    assert (unknown["id"], unknown["training_run_count"]) == ("not-yet", 0)
    assert reader.call("GET", "/v1/clients/1/projects/not-yet").status == 404
    body = {"id": "named", "name": "A name", "metadata": {"k": 1}}
    assert writer.ok("POST", "/v1/clients/1/projects", body)["name"] == "A name"
    assert writer.call("POST", "/v1/clients/1/projects", body).status == 409
    changed = writer.ok("PUT", "/v1/clients/1/projects/named", {"name": "Another", "metadata": {"k": None}})
    assert (changed["name"], changed["metadata"]) == ("Another", None)
    assert "named" in [item["id"] for item in reader.ok("GET", "/v1/clients/1/projects")["data"]]
    notes = "/v1/clients/1/projects/named/notes"
    assert writer.ok("GET", notes)["data"] == []
    for text in ("# first", "# second"):
        writer.ok("POST", notes, {"contents": text})
    (note,) = reader.ok("GET", notes)["data"]
    assert (note["contents"], note["user"]) == ("# second", "wim")


def test_tags_are_declared_and_put_on_runs(writer, run):
    tag = writer.ok("POST", "/v1/clients/1/tags", {"name": "good", "color": "#3366cc"})
    assert writer.call("POST", "/v1/clients/1/tags", {"name": "good", "color": "#3366cc"}).status == 409
    assert tag in writer.ok("GET", "/v1/clients/1/tags")["data"]
    assert writer.ok("POST", path(run) + "/tags", {"id": tag["id"]})["tags"] == [tag["id"]]
    assert writer.call("POST", path(run) + "/tags", {"id": "999"}).status == 422
    assert writer.call("POST", path(run) + "/tags", {"name": "good"}).status == 400
    assert writer.ok("DELETE", path(run) + f"/tags/{tag['id']}")["tags"] == []


def test_accounts_are_settings(reader):
    assert reader.ok("GET", "/v1/clients/1")["object"] == "client"
    assert reader.ok("GET", "/v1/organizations")["data"][0]["id"] == "1"
    assert reader.call("GET", "/v1/clients/2").status == 404
    for path in ("/v1/users/7", "/v1/sessions", "/v1/clients/1/invites"):
        refused = reader.call("POST", path, {})
        assert refused.status == 404
        assert "heliostat token create" in refused.json["message"]


def test_saved_views_are_kept(writer):
    body = {
        "parent_resource_type": "project", "parent_resource_id": {"client": "1", "project": "demo"},
        "web_data_type": "run_view", "display_name": "mine", "payload": {"columns": ["a"]},
    }  # fmt: skip
    made = writer.ok("POST", "/v1/web_data", body)
    assert made["payload"] == {"columns": ["a"]}
    changed = writer.ok("PUT", "/v1/web_data", {"id": made["id"], "payload": {"columns": []}})
    assert (changed["display_name"], changed["payload"]) == ("mine", {"columns": []})
    where = urllib.parse.quote(json.dumps({"client": "1", "project": "demo"}))
    assert made["id"] in [
        item["id"] for item in writer.ok("GET", f"/v1/web_data?parent_resource_id={where}")["data"]
    ]
    assert writer.ok("GET", "/v1/clients/1/projects/demo")["metadata"] is None
    writer.ok("DELETE", f"/v1/web_data?id={made['id']}")
    assert writer.ok("GET", "/v1/web_data")["data"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"valeus": {}}, "the run"),
        ({"values": {"m": {"value": "high"}}}, "values.m.value"),
        ({"values": {"m": {"value": True}}}, "values.m.value"),
        ({"values": {"m": {"value": 1, "value_stddev": -1}}}, "values.m.value.stddev"),
        ({"assignments": {"x": [1]}}, "assignments.x"),
        ({"assignments": {"x": 2**70}}, "assignments.x"),
        ({"name": "n" * 101}, "name"),
        ({"name": None}, "name"),
        ({"state": "done"}, "state"),
        ({"metadata": {"k" * 101: 1}}, "metadata key"),
        ({"favorite": 1}, "favorite"),
        ({"logs": {"stdout": {"text": "x"}}}, "logs.stdout"),
    ],
)
def test_messages_name_the_field(writer, run, body, field):
    refused = writer.call("MERGE", path(run), body)
    assert refused.status == 400
    assert refused.json["field"] == field
    assert field in refused.json["message"]
    assert refused.json["status"] == 400
    assert writer.ok("GET", path(run))["metadata"] is None
