"""The OpenAPI document describes what the service does."""

import pytest
from jsonschema import Draft202012Validator

from heliostat.service import ServiceSettings, create_app
from heliostat.testing.replies import check_reply


@pytest.fixture(scope="module")
def document(reader):
    return reader.ok("GET", "/openapi.json")


def test_it_is_a_document_of_every_route(document):
    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) > 50
    assert document["security"] == [{"basic": []}, {"bearer": []}]
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert operation.get("summary"), (path, verb)
            assert operation["responses"]["400"]["content"]["application/json"]["schema"], (path, verb)
            assert operation["responses"]["200"]["content"], (path, verb)
            Draft202012Validator.check_schema(operation["responses"]["200"]["content"])


def test_a_reply_with_a_key_of_another_kind_is_noticed():
    page = {"object": "pagination", "count": 1, "data": [], "paging": {"before": None, "after": None}}
    check_reply("GET", "/v1/clients/1/tags?limit=3", page)
    for wrong in ({**page, "count": "1"}, {**page, "more": 1}, {**page, "data": [{"object": "run"}]}):
        with pytest.raises(AssertionError, match="not as documented"):
            check_reply("GET", "/v1/clients/1/tags", wrong)


def bodies(document):
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content:
                yield verb.upper(), path, content["example"]


def test_its_examples_are_bodies_that_the_service_takes(document, admin):
    run = admin.ok("POST", "/v1/clients/1/projects/examples/training_runs", {})["id"]
    admin.ok("POST", "/v1/clients/1/tags", {"name": "first", "color": "#000000"})
    tried = 0
    for verb, path, example in bodies(document):
        if "{experiment}" in path or path == "/v1/tokens/{token}" or "self" in path:
            continue  # the first need an experiment; the last would end the token of this test
        address = path.format(client="1", project="examples", run=run, checkpoint="1", token="1")
        if "{" in path.replace("{client}", "").replace("{project}", "").replace("{run}", ""):
            continue
        answer = admin.call(verb, address, example)
        assert answer.status == 200, (verb, path, answer.content)
        tried += 1
    assert tried >= 10


def test_it_needs_a_token_and_no_other_site(nobody):
    assert nobody.call("GET", "/openapi.json").status == 401


def test_the_application_is_made_of_settings_alone(tmp_path):
    app = create_app(ServiceSettings(log=str(tmp_path / "one.db"), auth=False))
    assert app.openapi()["info"]["title"] == "Heliostat"
    app.state.backend.close()
