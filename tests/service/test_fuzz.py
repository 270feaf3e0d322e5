"""Random bodies and arguments at every route: refused or done, never an error of ours."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heliostat.errors import InvalidValue
from heliostat.service import ServiceSettings
from heliostat.service.strict_json import read_json, write_json
from heliostat.service.wire.run_changes import FIELDS, RunChange, read_change
from heliostat.testing.service import Caller, make_token, serving

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", "0", "1", "\x00", "\ud800", "a" * 200, "../x", "' or 1=1--", "NaN", -1, 10**400, 1e308]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SLOW = settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
VERBS = {"get", "post", "put", "patch", "delete"}


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
@settings(deadline=None, max_examples=300)
def test_json_is_read_strictly_or_refused(content):
    try:
        value = read_json(content)
    except InvalidValue:
        return
    assert read_json(write_json(value)) == value


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
@settings(deadline=None, max_examples=400)
def test_a_change_of_a_run_is_read_or_refused_by_name(body):
    field, change = "", RunChange()
    try:
        change = read_change(body)
    except InvalidValue as error:
        field = error.field
    assert field or change.given == set(body)
    for write in change.writes(1, 1.0, "k" * 32):
        assert write.run == 1


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    log = str(tmp_path_factory.mktemp("fuzz") / "runs.db")
    with serving(ServiceSettings(log=log, write_rate=1e5, read_rate=1e5)) as host:
        caller = Caller(host, make_token(log, "admin"))
        caller.ok("POST", "/v1/clients/1/projects/p/training_runs", {"values": {"m": {"value": 1}}})
        body = {
            "name": "e", "project": "p", "observation_budget": 5, "type": "random",
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
            "metrics": [{"name": "m", "objective": "maximize"}],
        }  # fmt: skip
        caller.ok("POST", "/v1/experiments", body)
        yield caller, caller.ok("GET", "/openapi.json")


def routes(document):
    for path, operations in sorted(document["paths"].items()):
        for verb, operation in operations.items():
            if verb in VERBS and path not in ("/v1/tokens/self", "/v1/tokens/{token}", "/v1/events"):
                yield verb.upper(), path, operation


def examples_of(operation):
    found = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return found.get("example") or {"name": "x", "values": [], "assignments": {}, "metadata": None}


IDS = st.sampled_from(
    ["1", "1", "1", "2", "0", "x", "-1", "9" * 30, "%00", "%2e%2e", "a%20b", "é".encode().hex()]
)
QUERY = st.dictionaries(
    st.sampled_from(
        ["limit", "before", "after", "sort", "filters", "search", "fields", "state", "ascending"]
    ),
    st.text(string.printable.replace(" ", ""), max_size=12),
    max_size=2,
)


@SLOW
@given(data=st.data())
def test_no_route_breaks(fuzzed, data):
    """Every route of the document, each example with one field changed, and with rubbish instead."""
    caller, document = fuzzed
    for verb, path, operation in routes(document):
        address = "/".join(data.draw(IDS) if part.startswith("{") else part for part in path.split("/"))
        address = address.replace("/clients/x", "/clients/1")
        query = "&".join(f"{key}={_quoted(text)}" for key, text in data.draw(QUERY).items())
        body = dict(examples_of(operation))
        if body and data.draw(st.booleans()):
            body[data.draw(st.sampled_from(sorted(body)))] = data.draw(VALUES)
        elif data.draw(st.booleans()):
            body = data.draw(VALUES)
        content = None if verb in ("GET", "DELETE") else json.dumps(body).encode("utf-8", "surrogatepass")
        answer = caller.call(verb, f"{address}?{query}", content=content)
        assert answer.status < 500, (verb, address, query, body, answer.content)
        if answer.status >= 400 and not path.startswith("/api"):
            assert {"message", "status"} <= set(answer.json), (verb, address, answer.content)


def _quoted(text):
    from urllib.parse import quote

    return quote(text, safe="")
