"""A log of its own for each test, which all calls find; nothing of the program is captured."""

from contextlib import closing

import pytest

from heliostat.registry import shared_log


@pytest.fixture(autouse=True)
def _own_log(log_url, monkeypatch):
    monkeypatch.setenv("HELIOSTAT_LOG", log_url)
    monkeypatch.setenv("HELIOSTAT_PROJECT", "tests")
    monkeypatch.setenv("HELIOSTAT_CAPTURE", "none")


@pytest.fixture
def log(log_url):
    with closing(shared_log(log_url)) as opened:
        yield opened
