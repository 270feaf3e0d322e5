"""A long page comes in two pieces: its head at once, what has to be read behind it."""

import socket

import pytest

from heliostat.pages import experiments
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import watched_page
from heliostat.testing.populated import record_runs
from heliostat.testing.service import Caller, make_token, serving
from heliostat.testing.synthetic import vision_runs, vision_spec


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    log = f"sqlite:///{tmp_path_factory.mktemp('pieces') / 'runs.db'}"
    opened = open_log(log)
    experiment, _ = record_runs(opened, vision_spec(), vision_runs(60))
    opened.close()
    with serving(ServiceSettings(log=log, token_seconds=0.05)) as host:
        yield host, f"/experiments/{experiment}", make_token(log, "read")


def pieces(site, path):
    """What has come once the head is there, and all of the answer."""
    host, _, token = site
    name, port = host.rsplit(":", 1)
    with socket.create_connection((name, int(port)), timeout=60) as line:
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {COOKIE}={token}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        whole = first = b""
        while part := line.recv(1 << 20):
            whole += part
            if not first and b"Reading 60 runs" in whole:
                first = whole
    return first.decode(), whole.decode()


@pytest.mark.parametrize("tab", ["", "/runs", "/analysis"])
def test_the_head_comes_before_what_has_to_be_read(site, tab):
    first, whole = pieces(site, site[1] + tab)
    assert "<h1>cnn tuning" in first
    assert 'aria-current="page"' in first
    assert "data-part=" in whole
    assert 'class="card' not in first
    assert 'class="card' in whole
    assert whole.count('id="seq"') == 1
    assert "</html>" in whole


def test_a_part_alone_comes_whole(site):
    host, path, token = site
    answer = Caller(host, token).call("GET", f"{path}?live=0")
    assert b"<h1>" in answer.content
    assert b"Reading" not in answer.content


def test_who_may_not_see_an_experiment_gets_an_error_and_no_head(site):
    host, _, token = site
    answer = Caller(host, token).call("GET", "/experiments/999999")
    assert answer.status == 404
    assert b"That is not possible" in answer.content


@pytest.mark.browser
def test_what_breaks_behind_the_head_is_told_on_the_page_and_in_the_log(chromium, site, monkeypatch, caplog):
    host, path, token = site

    def broken(*_):
        raise RuntimeError("the disk is full of stars")

    monkeypatch.setattr(experiments, "ids_of", broken)
    url = f"http://{host}{path}"
    with watched_page(chromium, url, allowed=(f"http://{host}/",), cookies={COOKIE: token}) as (page, _):
        assert "an error of the service" in page.inner_text("[data-error]")
        assert "stars" not in page.content()
        assert page.locator("h1").first.inner_text() == "cnn tuning"
    assert any("the disk is full of stars" in record.getMessage() for record in caplog.records)
