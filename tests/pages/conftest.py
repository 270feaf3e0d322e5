"""A service over a log with something in it, for each module of tests of its pages."""

import contextlib
import time

import pytest

from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.service.visitors import COOKIE
from heliostat.testing.browser import watched_page
from heliostat.testing.populated import attach, record_runs
from heliostat.testing.service import Caller, make_token, serving
from heliostat.testing.synthetic import INJECTION, vision_runs, vision_spec
from heliostat.writes import AddNote


class Site:
    """A service over a log with something in it."""

    def __init__(self, host, log, experiment, runs):
        self.host, self.log, self.experiment, self.runs = host, log, experiment, runs
        self.tokens = {name: make_token(log, name, user="ada") for name in ("read", "write", "admin")}
        self.wire = Caller(host, self.tokens["write"])

    @contextlib.contextmanager
    def page(self, browser, path, who="write", **more):
        url = f"http://{self.host}{path}"
        cookies = {} if who is None else {COOKIE: self.tokens[who]}
        allowed = (f"http://{self.host}/",)
        with watched_page(browser, url, allowed=allowed, cookies=cookies, **more) as found:
            yield found

    def bowl(self, **more):
        """A small experiment of its own, for tests that change it."""
        body = {
            "name": "bowl",
            "budget": 30,
            "parameters": [{"name": "x", "type": "double", "bounds": {"min": -5, "max": 5}}],
            "metrics": [{"name": "loss", "objective": "minimize"}],
            "searcher": "random",
            **more,
        }
        self.wire.ok(
            "POST",
            "/v1/clients/1/projects",
            {"id": "bowls", "name": "Bowls"},
            headers={"Idempotency-Key": "b"},
        )
        return self.wire.ok("POST", "/v1/clients/1/projects/bowls/aiexperiments", body)["id"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    log = f"sqlite:///{tmp_path_factory.mktemp('pages') / 'runs.db'}"
    opened = open_log(log)
    experiment, runs = record_runs(opened, vision_spec(budget=200), vision_runs(60))
    attach(opened, runs[0], time=time.time())
    opened.apply(AddNote("vision", f"# Findings\n\n- **wide** is good\n- {INJECTION}", time=time.time()))
    opened.close()
    with serving(ServiceSettings(log=log, token_seconds=0.05)) as host:
        yield Site(host, log, experiment, runs)
