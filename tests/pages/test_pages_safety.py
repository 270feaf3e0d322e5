"""What stands between the pages and people who should not use them; no browser is needed."""

import base64
import gzip
import hashlib
import re

import pytest

from heliostat.pages import assets
from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE, is_page, proof_of
from heliostat.testing.service import Caller, make_token, serving

CHANGE = ("POST", "/v1/clients/1/projects", {"id": "one", "name": "One"})


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('safety') / 'runs.db'}"


@pytest.fixture(scope="module")
def nobody(log):
    with serving(ServiceSettings(log=log, token_seconds=0.05)) as host:
        yield Caller(host)


@pytest.fixture(scope="module")
def secret(log):
    return make_token(log, "write")


def cookie(secret, **more):
    return {"Cookie": f"{COOKIE}={secret}", **more}


def test_a_change_by_cookie_needs_the_proof_that_a_page_of_ours_carries(nobody, secret):
    method, path, body = CHANGE
    assert nobody.call(method, path, body, headers=cookie(secret)).status == 403
    forged = cookie(secret, **{"X-Heliostat-Proof": proof_of("hs_other")})
    assert nobody.call(method, path, body, headers=forged).status == 403
    proven = cookie(secret, **{"X-Heliostat-Proof": proof_of(secret)})
    assert nobody.call(method, path, body, headers=proven).status == 200


def test_a_change_by_cookie_must_come_from_this_origin(nobody, secret):
    method, path, body = CHANGE
    foreign = cookie(secret, Origin="http://evil.example", **{"X-Heliostat-Proof": proof_of(secret)})
    assert nobody.call(method, path, body, headers=foreign).status == 403


def test_reading_by_cookie_needs_a_token_that_is_good(nobody, secret):
    assert nobody.call("GET", "/v1/tokens/self", headers=cookie(secret)).status == 200
    answer = nobody.call("GET", "/v1/tokens/self", headers=cookie("hs_wrong"))
    assert answer.status == 401
    assert "www-authenticate" not in answer.headers  # a browser would ask by itself
    assert nobody.call("GET", "/openapi.json", headers=cookie(secret)).status == 401


@pytest.mark.parametrize("path", ["/", "/runs", "/projects/one", "/experiments/1", "/tokens"])
def test_strangers_get_the_page_that_asks_for_a_token(nobody, path):
    answer = nobody.call("GET", path)
    assert answer.status == 401
    assert b"data-sign-in" in answer.content
    assert "www-authenticate" not in answer.headers


def test_wrong_tokens_at_the_door_are_counted(log):
    with serving(ServiceSettings(log=log, guesses=3)) as host:
        found = [
            Caller(host).call("POST", "/sign-in", headers={"Authorization": "Bearer hs_x"}).status
            for _ in range(6)
        ]
        assert found[:3] == [401] * 3
        assert 429 in found


def test_pages_forbid_foreign_and_inline_scripts_and_frames(nobody, secret):
    answer = nobody.call("GET", "/", headers=cookie(secret))
    policy = answer.headers["content-security-policy"]
    (inline,) = re.findall(rb"<script>(.*?)</script>", answer.content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert inline.decode() == assets.early()  # the same for all, with nothing of theirs in it
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert secret.encode() not in answer.content


def test_who_opened_a_window_loses_hold_of_it_where_tokens_are_typed_or_shown(log, nobody):
    owner = cookie(make_token(log, "admin"))
    for path, headers in (("/tokens", owner), ("/experiments/1", {})):
        answer = nobody.call("GET", path, headers=headers)
        assert answer.headers["cross-origin-opener-policy"] == "same-origin", path


def test_what_is_not_there_and_what_is_not_allowed_are_pages_too(nobody, secret):
    for path, status in (
        ("/experiments/99", 404),
        ("/runs/none", 404),
        ("/tokens", 403),
        ("/compare?runs=1", 400),
    ):
        answer = nobody.call("GET", path, headers=cookie(secret))
        assert answer.status == status, path
        assert b"data-error" in answer.content


def test_scripts_are_kept_by_browsers_and_known_by_their_tag(nobody):
    at = f"/static/{assets.version()}/main.js"
    first = nobody.call("GET", at, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in first.headers["cache-control"]
    assert gzip.decompress(first.content) == nobody.call("GET", at).content
    assert nobody.call("GET", at, headers={"If-None-Match": first.headers["etag"]}).status == 304
    plotly = nobody.call(
        "GET", f"/static/{assets.plotly_version()}/{assets.PLOTLY}", headers={"Accept-Encoding": "gzip"}
    )
    assert plotly.headers["content-type"].startswith("text/javascript")
    script = gzip.decompress(plotly.content).decode()
    assert "MIT license" in script[:200]
    assert script.count('"use strict";var Plotly=') == 1
    assert "function(root, factory)" not in script  # a browser would read all of it twice
    assert nobody.call("GET", f"/static/{assets.version()}/..%2fpages.py").status == 404


def test_addresses_of_programs_are_no_pages():
    assert not any(
        map(is_page, ("/v1/runs", "/api/2.0/mlflow/runs/get", "/metrics", "/healthz", "/openapi.json"))
    )
