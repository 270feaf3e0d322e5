"""The attack cases that a service on a network has to stand; A1, A2, … number the catalogue of cases.

Cases of experiments are beside their routes, those of pages and of the cluster's ports beside theirs.
"""

import base64
import gzip
import hashlib
import http.client
import json
import logging
import pickle
import re
import socket
import sqlite3
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from heliostat.service import ServiceSettings, create_app
from heliostat.testing.service import Caller, make_token, serving

RUNS = "/v1/clients/1/projects/demo/training_runs"
OPEN = {"/healthz", "/readyz", "/health", "/version"}
VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "MERGE", "TRACE")
MIB = 2**20


@pytest.fixture(scope="module")
def host(service_log):
    settings = ServiceSettings(log=service_log, token_seconds=0.05, guesses=10**6, body_seconds=0.5)
    with serving(settings) as host:
        yield host


@pytest.fixture(scope="module")
def run(writer):
    made = writer.ok("POST", RUNS, {"name": "target"})
    return f"/v1/training_runs/{made['id']}"


def statuses(host, calls, headers):
    """Statuses of many calls over one connection."""
    connection = http.client.HTTPConnection(host, timeout=30)
    found = []
    for method, path in calls:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        found.append(answer.status)
    connection.close()
    return found


def raw(host, data, *more):
    """What comes back for bytes on the line."""
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=10) as line:
        try:
            for part in (data, *more):
                line.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered, and listens no longer
        line.settimeout(10)
        found = b""
        try:
            while part := line.recv(65536):
                found += part
                if b"\r\n\r\n" in found and b"}" in found:
                    break
        except ConnectionResetError:
            pass
        return found


def authorization(token):
    return f"Authorization: Bearer {token}\r\n"


def test_a1_a6_a33_every_address_and_verb_asks_for_a_token(tmp_path, host, service_log):
    """Also addresses that nobody thought of: mounted ones, slashes and dots too many, documentation."""
    app = create_app(ServiceSettings(log=str(tmp_path / "routes.db")))
    paths = {re.sub("[{}]|:path", "", path) for path in app.openapi()["paths"]}
    app.state.backend.close()
    assert len(paths) > 50
    paths |= {
        "/api/2.0/mlflow/runs/create", "/ajax-api/2.0/mlflow/runs/search", "/api/2.0/mlflow-artifacts/x",
        "//v1/training_runs/1", "/v1/../v1/training_runs/1", "/v1/%2e%2e/tokens/self", "/nowhere", "/api",
        "/v1/training_runs/1/", "/docs", "/redoc", "/openapi.json", "/metrics", "/healthz/", "/v1/ticket",
    }  # fmt: skip
    guarded = sorted(path for path in paths if path not in OPEN and not path.startswith("/v1/tickets/"))
    calls = [(verb, path) for path in guarded for verb in VERBS]
    assert set(statuses(host, calls, {})) == {401}
    few = [(verb, path) for path in guarded for verb in ("GET", "POST")]
    assert set(statuses(host, few, {"Authorization": "Bearer hs_wrong"})) == {401}
    expired = make_token(service_log, expires=1.0)
    assert set(statuses(host, few, {"Authorization": f"Bearer {expired}"})) == {403}


def test_a1_a_revoked_and_an_expired_token_say_so_and_an_unknown_one_says_nothing(host, service_log, admin):
    expired = Caller(host, make_token(service_log, expires=1.0)).call("GET", "/v1/tokens/self")
    assert (expired.status, expired.json["token_status"]) == (403, "expired")
    made = admin.ok("POST", "/v1/clients/1/tokens", {"name": "short"})
    short = Caller(host, made["token"])
    assert short.ok("GET", "/v1/tokens/self")["id"] == made["id"]
    admin.ok("DELETE", f"/v1/tokens/{made['id']}")
    assert short.call("GET", "/v1/tokens/self").json["token_status"] == "revoked"
    answers = [
        Caller(host, token).call("GET", "/v1/tokens/self") for token in (None, "hs_x", "hs_" + "A" * 43)
    ]
    assert len({answer.content for answer in answers}) == 1
    for header in ("", "Basic", "Basic !!", "Bearer", "Bearer " + "x" * 300, "Digest x", "Basic " + "A" * 9):
        assert Caller(host).call("GET", "/v1/tokens/self", headers={"Authorization": header}).status == 401


def test_a1_basic_bearer_and_password_carry_the_token(host, writer):
    for text in (f"{writer.token}:", f"anybody:{writer.token}"):
        header = {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        assert Caller(host).ok("GET", "/v1/tokens/self", headers=header)["user"] == "wim"
    assert Caller(host).ok("GET", "/v1/tokens/self", headers={"Authorization": f"bearer {writer.token}"})


def test_a2_a_token_in_the_address_or_a_cookie_is_none(host, writer):
    assert Caller(host).call("GET", f"/v1/tokens/self?token={writer.token}").status == 401
    assert (
        Caller(host).call("GET", "/v1/tokens/self", headers={"Cookie": f"token={writer.token}"}).status == 401
    )


def test_a3_who_guesses_is_slowed_down_and_locks_nobody_out(tmp_path):
    log = str(tmp_path / "guess.db")
    with serving(ServiceSettings(log=log, guesses=20)) as host:
        right = Caller(host, make_token(log))
        right.ok("GET", "/v1/tokens/self")
        calls = [("GET", "/v1/tokens/self")] * 60
        found = statuses(host, calls, {"Authorization": "Bearer " + right.token[:-1]})
        assert found[:20] == [401] * 20
        assert found.count(429) >= 35
        assert right.call("GET", "/v1/tokens/self").status == 200
        refused = Caller(host, "hs_x").call("GET", "/v1/tokens/self")
        assert int(refused.headers["retry-after"]) >= 1


def test_a4_readers_read_writers_write_and_admins_keep_tokens(reader, writer, admin, run):
    assert reader.call("GET", run).status == 200
    for method, path, body in (
        ("POST", RUNS, {}), ("MERGE", run, {"favorite": True}), ("PUT", run, {}), ("DELETE", run, None),
        ("POST", run + "/checkpoints", {"values": [{"name": "m", "value": 1}]}), ("POST", run + "/files", {}),
        ("POST", run + "/tokens", {}), ("POST", "/v1/clients/1/projects", {"id": "p", "name": "p"}),
        ("POST", "/v1/clients/1/tags", {"name": "t", "color": "#000000"}),
    ):  # fmt: skip
        refused = reader.call(method, path, body)
        assert (refused.status, refused.json["token_status"]) == (403, "invalid_permissions")
    for method, path in (
        ("GET", "/v1/clients/1/tokens"),
        ("POST", "/v1/clients/1/tokens"),
        ("DELETE", "/v1/tokens/1"),
    ):
        assert writer.call(method, path, {}).status == 403
    assert admin.ok("GET", "/v1/clients/1/tokens")["count"] >= 3
    assert writer.call("PUT", "/v1/tokens/self", {"lasts_forever": True}).status == 403


def test_a5_a_guest_sees_one_run_and_cannot_tell_others_from_nothing(host, writer, run):
    shared = writer.ok("POST", run + "/tokens", {})
    guest = Caller(host, shared["token"])
    assert (shared["token_type"], shared["permissions"]) == ("guest", "read")
    assert shared["expires"] is not None
    assert guest.ok("GET", run)["name"] == "target"
    assert guest.ok("GET", run + "/checkpoints")["data"] == []
    assert guest.ok("GET", "/v1/tokens/self")["training_run"] == run.rpartition("/")[2]
    other = writer.ok("POST", RUNS, {})["id"]
    hidden, missing = (guest.call("GET", f"/v1/training_runs/{id}") for id in (other, int(other) + 1000))
    assert (hidden.status, missing.status) == (404, 404)
    told = [hidden.json["message"].replace(f"got {other}", ""), missing.json["message"]]
    assert told[0] == told[1].replace(f"got {int(other) + 1000}", "")
    assert hidden.json["code"] == missing.json["code"]
    for method, path in (
        ("GET", RUNS), ("MERGE", run), ("GET", "/v1/clients/1/projects"), ("PUT", "/v1/tokens/self"),
        ("GET", "/metrics"),
    ):  # fmt: skip
        assert guest.call(method, path, {}).status == 403, path


def test_a7_a8_pages_of_other_sites_have_no_business_here(tmp_path, host, writer, run):
    for method in ("POST", "PUT", "PATCH", "DELETE", "MERGE"):
        foreign = writer.call(method, run, {}, headers={"Origin": "https://evil.example"})
        assert foreign.status == 403
    same = {"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert writer.call("PATCH", run, {}, headers=same).status == 200
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = Caller(host).call("OPTIONS", RUNS, headers=asked)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]
    log = str(tmp_path / "hosts.db")
    with serving(ServiceSettings(log=log, hosts=("127.0.0.1", "*.lab.example"))) as named:
        caller = Caller(named, make_token(log))
        assert caller.call("GET", "/v1/tokens/self").status == 200
        for name, status in (("evil.example", 403), ("a.lab.example:80", 200), ("lab.example.evil", 403)):
            assert caller.call("GET", "/v1/tokens/self", headers={"Host": name}).status == status


def test_a9_long_slow_and_broken_bodies_are_refused_and_cost_no_memory(host, writer, run):
    before = psutil.Process().memory_info().rss
    head = f"MERGE {run} HTTP/1.1\r\nHost: {host}\r\n{authorization(writer.token)}"
    assert b" 413 " in raw(host, f"{head}Content-Length: {60 * MIB}\r\n\r\n".encode())
    chunk = f"{MIB:x}\r\n".encode() + b" " * MIB + b"\r\n"
    assert b" 413 " in raw(host, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *[chunk] * 20)
    assert b" 408 " in raw(host, f"{head}Content-Length: 100\r\n\r\n".encode(), b'{"name":')
    assert b" 400 " in raw(host, f"{head}Content-Length: x\r\n\r\n".encode())
    assert psutil.Process().memory_info().rss - before < 60 * MIB
    assert writer.call("GET", run).status == 200


def test_a10_a25_compressed_and_foreign_bodies_are_refused(tmp_path, writer, run):
    bomb = gzip.compress(b" " * 10 * MIB)
    refused = writer.call("MERGE", run, content=bomb, headers={"Content-Encoding": "gzip"})
    assert refused.status == 415
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self):
            return Path.touch, (canary,)

    for kind in ("application/x-python-pickle", "application/octet-stream", "application/x-yaml"):
        answer = writer.call("MERGE", run, content=pickle.dumps(Evil()), headers={"Content-Type": kind})
        assert answer.status == 415
    assert writer.call("MERGE", run, content=pickle.dumps(Evil())).status == 400
    yaml = b"!!python/object/apply:os.system ['touch canary']"
    assert writer.call("MERGE", run, content=yaml).status == 400
    assert not canary.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000, b'{"a":' * 100_000, b'{"assignments":{"x":' + b"9" * 5000 + b"}}",
        b'{"values":{"m":{"value":NaN}}}', b'{"values":{"m":{"value":Infinity}}}',
        b'{"values":{"m":{"value":-Infinity}}}', b'{"values":{"m":{"value":1e400}}}',
        b'{"assignments":{"x":1e999}}', b'{"metadata":{"k":NaN}}', b'{"name":"a\\u0000b"}',
        b'{"name":"a\x00b"}', b'{"name":"\\ud800"}', b'{"metadata":{"\\ud800":1}}', b"\xff\xfe{}",
        b"\xef\xbb\xbf{}", b"", b"null", b"[]", b"7", b'"x"', b"{",
        b'{"name":"a","name":"b"}', b'{"values":{"m":{"value":1},"m":{"value":2}}}',
        b"{}{}", b"{'name':1}", b'{"name":"' + b"n" * 10_000 + b'"}',
        json.dumps({"assignments": {f"x{i}": i for i in range(20_000)}}).encode(),
    ],
)  # fmt: skip
def test_a11_a12_a13_a14_what_is_no_strict_json_is_refused(writer, run, content):
    before = writer.ok("GET", run)
    answer = writer.call("MERGE", run, content=content)
    is_nothing = content in (b"", b"null")  # no change is asked for
    assert answer.status == (200 if is_nothing else 400), answer.content
    assert is_nothing or set(answer.json) >= {"message", "status", "code"}
    assert writer.ok("GET", run)["updated"] == before["updated"] or is_nothing


@pytest.mark.parametrize(
    "name", ["emoji 🔭", "\u202eRTL", "' or 1=1--", "<script>alert(1)</script>", "{{7*7}}", "=cmd()"]
)
def test_a13_a22_a24_names_are_texts_and_come_back_equal(writer, run, name):
    found = writer.ok(
        "MERGE", run, {"name": name, "assignments": {name: name}, "values": {name: {"value": 1}}}
    )
    assert (found["name"], found["assignments"][name]) == (name, name)
    for field in (f"assignments.{name}", "name"):
        filters = json.dumps([{"field": field, "operator": "==", "value": name}])
        page = writer.ok("GET", f"{RUNS}?{urllib.parse.urlencode({'filters': filters, 'sort': field})}")
        assert run.rpartition("/")[2] in [item["id"] for item in page["data"]]
    assert writer.ok("GET", f"{RUNS}?{urllib.parse.urlencode({'search': '%'})}")["count"] == 0


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=1001", "limit=x", "limit=9e9", "before=a&after=b", "before=x", "sort=id;drop",
     "filters=x", "filters=[1]", 'filters=[{"field":"id","operator":"~","value":1}]', "ascending=maybe",
     "sort=a%00b",
     'filters=[{"field":"id","operator":"==","value":1e400}]', "search=%00", "fields=[1]",
     'filters=[{"field":"created","operator":">","value":"99999999999999999999"}]'],
)  # fmt: skip
def test_a24_a_query_that_says_nothing_sensible_is_refused(writer, query):
    answer = writer.call("GET", f"{RUNS}?{query}")
    assert answer.status == 400, (query, answer.content)


def test_a16_a_key_makes_one_effect_of_many_calls(host, writer):
    with ThreadPoolExecutor(16) as pool:
        headers = {"Idempotency-Key": "parallel"}
        answers = list(
            pool.map(lambda _: writer.ok("POST", RUNS, {"name": "once"}, headers=headers), range(50))
        )
    assert len({answer["id"] for answer in answers}) == 1
    assert writer.call("POST", RUNS, {"name": "twice"}, headers=headers).status == 409
    assert writer.call("POST", RUNS, {}, headers={"Idempotency-Key": "k" * 300}).status == 400
    assert writer.call("POST", RUNS, {}, headers={"Idempotency-Key": ""}).status == 400
    huge = f"POST {RUNS} HTTP/1.1\r\nHost: {host}\r\nIdempotency-Key: ".encode() + b"k" * MIB
    assert b" 200 " not in raw(host, huge)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/training_runs/999999/checkpoints", {"values": [{"name": "m", "value": 1}]}, 404),
        ("/v1/training_runs/x/checkpoints", {"values": [{"name": "m", "value": 1}]}, 404),
        ("/v1/training_runs/99999999999999999999/checkpoints", {"values": [{"name": "m", "value": 1}]}, 404),
        ("{run}/checkpoints", {"values": [{"name": "m", "value": 1}], "step": -1}, 400),
        ("{run}/checkpoints", {"values": [{"name": "m", "value": 1}], "step": 1e300}, 400),
        ("{run}/checkpoints", {"values": [{"name": "m", "value": 1}], "step": True}, 400),
        ("{run}/checkpoints", {"values": []}, 400),
        ("{run}/checkpoints", {"values": [{"name": "m", "value": 1}] * 2}, 400),
        ("{run}/checkpoints", {"values": {"m": 1}}, 400),
    ],
)
def test_a17_impossible_points_are_refused(writer, run, path, body, status):
    assert writer.call("POST", path.format(run=run), body).status == status
    assert writer.ok("GET", run)["checkpoint_count"] == 0


def file_body(content=b"x", **more):
    md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
    return {
        "content_length": len(content),
        "content_md5": md5,
        "content_type": "text/html",
        "name": "f",
        **more,
    }


def doubles(count):
    return [{"name": f"x{i}", "type": "double", "bounds": {"min": 0, "max": 1}} for i in range(count)]


def categories(count):
    return [{"name": "c", "type": "categorical", "categorical_values": [str(i) for i in range(count)]}]


@pytest.mark.parametrize(
    ("field", "given", "limit"),
    [
        ("parameters", doubles(10_000), "1000 items"),
        ("parameters", categories(50_000), "10000 items"),
        ("parameters", [{"name": "x", "type": "double", "grid": list(range(50_000))}], "10000 items"),
        ("parameters", [{"name": "x", "type": "int", "bounds": {"min": 0, "max": 10**40}}], "2^53"),
        ("metrics", [{"name": f"m{i}"} for i in range(5000)], "100 items"),
        ("conditionals", [{"name": f"k{i}", "values": ["a", "b"]} for i in range(5000)], "100 items"),
        ("linear_constraints", [{"type": "less_than", "threshold": 1, "terms": []}] * 5000, "1000 items"),
        ("observation_budget", 10**30, "2^53"),
        ("parallel_bandwidth", 10**9, "10000"),
    ],
)
def test_a15_a_declaration_that_nobody_can_run_is_refused_before_it_is_built(writer, field, given, limit):
    body = {"name": "huge", "parameters": doubles(2), "metrics": [{"name": "m"}], field: given}
    answer = writer.call("POST", "/v1/clients/1/experiments", body)
    assert answer.status == 400
    assert answer.json["field"].startswith(field)
    assert limit.replace("2^53", str(2**53)) in answer.json["message"]
    assert len(answer.content) < 500


def test_a15_a_billion_suggestions_are_refused(writer):
    body = {"name": "small", "parameters": doubles(2), "metrics": [{"name": "m"}], "observation_budget": 20}
    made = writer.ok("POST", "/v1/clients/1/experiments", body)
    answer = writer.call("POST", f"/v1/experiments/{made['id']}/ask", {"count": 10**9})
    assert (answer.status, answer.json["field"]) == (400, "count")


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "..%2f",
        "/etc/passwd",
        "C:\\x",
        "\\\\host\\x",
        "a\0b",
        "..",
        "a/../../b",
        "n" * 300,
        "",
        "a\r\nb",
    ],
)
def test_a19_names_of_files_lead_nowhere(writer, run, name):
    answer = writer.call("POST", run + "/files", file_body(filename=name))
    assert (answer.status == 400) is (name != "..%2f")  # which is a name like any other: nobody decodes it


@pytest.mark.parametrize(
    "change",
    [{"content_length": -1}, {"content_length": 10**12}, {"content_md5": "x"},
     {"content_type": "text/html\r\nX: y"}, {"content_type": "text/html; x=y"}, {"name": "a\0"}, {"more": 1}],
)  # fmt: skip
def test_a19_impossible_files_are_refused(writer, run, change):
    assert writer.call("POST", run + "/files", file_body(**change)).status == 400


def test_a20_a21_a_file_is_never_overwritten_nor_shown_as_a_page(host, writer, run):
    content = b"<script>alert(1)</script>"
    ids = []
    for kind in ("text/html", "image/svg+xml"):
        asked = writer.ok("POST", run + "/files", file_body(content, content_type=kind, filename='a"b.html'))
        address = asked["upload"]["url"].removeprefix(writer.url)
        ids.append(Caller(host).ok("PUT", address, content=content)["id"])
        file = writer.ok("GET", f"/v1/files/{ids[-1]}")
        got = Caller(host).call("GET", file["download"]["url"].removeprefix(writer.url))
        assert got.content == content
        assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a%22b")
        assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert len(set(ids)) == 2


def test_a21_an_address_for_a_file_is_good_for_nothing_else(host, writer, service_log, run):
    asked = writer.ok("POST", run + "/files", file_body())["upload"]["url"].removeprefix(writer.url)
    body, _, proof = asked.rpartition("/")[2].partition(".")
    facts = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps({**facts, "run": 1}).encode()).decode().rstrip("=")
    for ticket in (f"{forged}.{proof}", f"{body}.{proof[:-2]}AA", body, ".", "x" * 5000, f"{body}.é"):
        address = f"/v1/tickets/{urllib.parse.quote(ticket)}"
        assert Caller(host).call("PUT", address, content=b"x").status == 403
    assert Caller(host).call("GET", asked).status == 405
    short = Caller(host, make_token(service_log))
    address = short.ok("POST", run + "/files", file_body())["upload"]["url"].removeprefix(short.url)
    rotated = short.ok("PUT", "/v1/tokens/self", {"token": "rotate"})
    assert Caller(host).call("PUT", address, content=b"x").status == 403  # it ended with its token
    assert Caller(host, rotated["token"]).ok("GET", "/v1/tokens/self")["permissions"] == "write"


def test_a29_a30_what_is_written_down_is_one_line_without_secrets(caplog, host, writer, run, service_log):
    caplog.set_level(logging.INFO, "heliostat.service")
    writer.call("GET", "/v1/training_runs/1%0d%0a%1b%5b31mred?token=secret-in-query")
    secret = "hs_" + "s" * 43
    logs = f"TOKEN={secret} Authorization: Bearer abc\npostgresql://u:pass@h/db"
    kept = writer.ok("MERGE", run, {"logs": {"stdout": {"content": logs}}})["logs"]["stdout"]["content"]
    for hidden in (secret, "abc", "pass"):
        assert hidden not in kept
    lines = [record.getMessage() for record in caplog.records]
    assert lines
    assert all(json.loads(line)["event"] for line in lines)
    assert not any("\n" in line or "\x1b" in line for line in lines)
    for hidden in (writer.token, secret, "secret-in-query"):
        assert not any(hidden in line for line in lines)
    folder = Path(service_log.removeprefix("sqlite:///")).parent
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert writer.token.encode() not in stored


def test_a31_errors_carry_no_trace(writer, run):
    for method, path, body in (("GET", "/v1/nothing", None), ("SPAM", run, None), ("POST", run, {}),
                               ("MERGE", run, {"x": 1}), ("GET", "/v1/files/1e9", None)):  # fmt: skip
        answer = writer.call(method, path, body)
        assert 400 <= answer.status < 500
        assert set(answer.json) >= {"message", "status", "code"}
        assert not [
            word for word in (b"Traceback", b".py", b"SELECT", b"sqlalchemy") if word in answer.content
        ]


def test_a31_a_log_that_is_away_is_503_and_says_nothing_of_itself(tmp_path):
    log = tmp_path / "gone.db"
    with serving(ServiceSettings(log=str(log))) as host:
        caller = Caller(host, make_token(str(log)))
        caller.ok("POST", RUNS, {})
        with sqlite3.connect(log) as other:
            other.execute("DROP TABLE events")
        answer = caller.call("GET", "/readyz")
        assert answer.status == 503
        assert "retry-after" in answer.headers
        assert str(tmp_path).encode() not in answer.content


def test_a32_headers_of_the_machinery_change_nothing(writer, run):
    odd = {
        "x-request-timeout-seconds": "0", "x-request-disconnect-disabled": "?1", "x-serve-router-x": "1",
        "serve_multiplexed_model_id": "m", "X-HTTP-Method-Override": "DELETE",
    }  # fmt: skip
    assert writer.ok("GET", run, headers=odd)["deleted"] is False
    for given, is_kept in (("abc-1", True), ("x" * 8000, False), ("a b", False)):
        answer = writer.call("GET", run, headers={"X-Request-Id": given})
        assert (answer.headers["x-request-id"] == given) is is_kept


def test_a39_idle_and_hasty_callers_leave_the_service_working(tmp_path):
    log = str(tmp_path / "busy.db")
    with serving(ServiceSettings(log=log, read_rate=20.0)) as host:
        name, _, port = host.partition(":")
        caller = Caller(host, make_token(log))
        idle = [socket.create_connection((name, int(port))) for _ in range(300)]
        for line in idle[::2]:
            line.sendall(b"GET /v1/tokens/self HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert caller.call("GET", "/v1/tokens/self").status == 200
        found = statuses(host, [("GET", "/v1/tokens/self")] * 80, {"Authorization": f"Bearer {caller.token}"})
        assert found.count(200) >= 39
        assert found.count(429) >= 10
        other = Caller(host, make_token(log))
        assert other.call("GET", "/v1/tokens/self").status == 200
        for line in idle:
            line.close()


def test_a39_who_comes_too_many_is_told_to_come_back(tmp_path):
    log = str(tmp_path / "full.db")
    with serving(ServiceSettings(log=log, max_open=2, body_seconds=20.0)) as host:
        caller = Caller(host, make_token(log))
        run = caller.ok("POST", RUNS, {})["id"]
        name, _, port = host.partition(":")
        head = f"MERGE /v1/training_runs/{run} HTTP/1.1\r\nHost: {host}\r\n{authorization(caller.token)}"
        slow = [socket.create_connection((name, int(port))) for _ in range(2)]
        for line in slow:
            line.sendall(f"{head}Content-Length: 2\r\n\r\n".encode())
        refused = caller.call("GET", "/v1/tokens/self")
        deadline = time.monotonic() + 60
        while refused.status == 200 and time.monotonic() < deadline:  # until both are being answered
            refused = caller.call("GET", "/v1/tokens/self")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for line in slow:
            line.sendall(b"{}")
            assert b" 200 " in line.recv(65536)
            line.close()
        assert caller.call("GET", "/v1/tokens/self").status == 200


def test_a_token_is_rotated_with_grace_and_renewed(caplog, host, service_log, admin):
    caplog.set_level(logging.INFO, "heliostat.service")
    old = Caller(host, make_token(service_log, "write", user="rot"))
    new = Caller(host, old.ok("PUT", "/v1/tokens/self", {"token": "rotate", "grace_seconds": 60})["token"])
    assert old.ok("GET", "/v1/tokens/self")["expires"] is not None
    assert new.ok("GET", "/v1/tokens/self")["user"] == "rot"
    assert old.ok("PUT", "/v1/tokens/self", {"expires": "renew"})["lease_length"] == 30 * 86400
    assert old.call("PUT", "/v1/tokens/self", {"expires": 4e9}).status == 403
    made = admin.ok("POST", "/v1/clients/1/tokens", {"permissions": "read", "expires": 4e9, "user": "bob"})
    assert admin.ok("PUT", f"/v1/tokens/{made['id']}", {"lasts_forever": True})["expires"] is None
    assert admin.ok("GET", f"/v1/tokens/{made['id']}")["token"] is None
    assert admin.call("PUT", f"/v1/tokens/{made['id']}", {"token": "spin"}).status == 400
    told = [json.loads(record.getMessage()) for record in caplog.records]
    audit = [item["what"] for item in told if item["event"] == "audit"]
    assert audit == [
        "token created", "token rotated", "token renewed", "token created", "token renewed",
    ]  # fmt: skip


def test_health_needs_no_token(nobody):
    for path in ("/healthz", "/readyz"):
        assert nobody.ok("GET", path) == {"status": "ok"}
