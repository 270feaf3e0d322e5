from pathlib import Path

import pytest

from heliostat.service import ServiceSettings
from heliostat.testing.service import Caller, make_token, serving
from heliostat.testing.sigopt_client import OfficialClient, build


@pytest.fixture(scope="module")
def service_log(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('service') / 'runs.db'}"


@pytest.fixture(scope="module")
def host(service_log):
    with serving(ServiceSettings(log=service_log, token_seconds=0.05)) as host:
        yield host


@pytest.fixture(scope="module")
def admin(host, service_log):
    return Caller(host, make_token(service_log, "admin", user="ada"))


@pytest.fixture(scope="module")
def writer(host, service_log):
    return Caller(host, make_token(service_log, "write", user="wim"))


@pytest.fixture(scope="module")
def reader(host, service_log):
    return Caller(host, make_token(service_log, "read", user="rea"))


@pytest.fixture(scope="module")
def nobody(host):
    return Caller(host)


@pytest.fixture(scope="session")
def official_client(tmp_path_factory):
    """The released ``sigopt`` package in an environment that is built when it is first needed."""
    here = Path(__file__).parent
    folder = build(here.parents[1] / ".venv-sigopt", here / "clients" / "sigopt.txt")
    return OfficialClient(folder, tmp_path_factory.mktemp("sigopt"))
