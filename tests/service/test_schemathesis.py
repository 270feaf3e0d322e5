"""schemathesis calls every operation of the OpenAPI document: no 5xx, each reply as the document says."""

import re
import subprocess
import sys

import pytest

from heliostat.service import ServiceSettings
from heliostat.testing.service import Caller, make_token, serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
KEPT = "/v1/tokens"
"""Operations that would end the caller's own token."""

CONFIG = """
[parameters]
"path.client" = "1"
"path.project" = "bowls"
"path.experiment" = "1"
"path.organization" = "1"
"path.run" = "1"
"path.suggestion" = "1"
"path.observation" = "1"
"path.checkpoint" = "1"
"path.file" = "1"
"path.tag" = "1"
"query.wait" = "0"
"""


@pytest.fixture
def service(tmp_path):
    log = f"sqlite:///{tmp_path / 'runs.db'}"
    limits = {"read_rate": 1e6, "write_rate": 1e6}
    with serving(ServiceSettings(log=log, token_seconds=0.05, **limits)) as host:
        admin = Caller(host, make_token(log, "admin"))
        populate(admin)
        yield admin


def populate(admin):
    """One of each, so that what is called by its id is there."""
    admin.ok("POST", "/v1/clients/1/projects", {"id": "bowls", "name": "Bowls"})
    parameters = [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}]
    body = {"name": "bowl", "parameters": parameters, "metrics": [{"name": "loss", "objective": "minimize"}]}
    admin.ok("POST", "/v1/experiments", {**body, "project": "bowls", "observation_budget": 500})
    admin.ok("POST", "/v1/experiments/1/ask", {"count": 3})
    admin.ok("POST", "/v1/experiments/1/report", {"run": "1", "step": 1, "values": {"loss": 0.5}})
    admin.ok("POST", "/v1/experiments/1/tell", {"run": "2", "values": {"loss": 0.25}})
    admin.ok("POST", "/v1/clients/1/tags", {"name": "good", "color": "#00aa00"})
    admin.ok("POST", "/v1/clients/1/projects/bowls/notes", {"contents": "A bowl."})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_reply_is_as_documented(service, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"]
    options = [f"--header=Authorization: Bearer {service.token}", f"--checks={CHECKS}", "--seed=1"]
    bounds = ["--max-examples=6", "--phases=examples,coverage,fuzzing", f"--exclude-path-regex={KEPT}"]
    done = subprocess.run(
        [*command, *options, *bounds], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    operations, cases = (re.findall(word, done.stdout)[-1] for word in (r"Tested: (\d+)", r"(\d+) passed"))
    assert int(operations) > 80
    assert int(cases) > 800  # the last line is about all phases
