"""What docs/service.md and cluster/serve.yaml say is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from heliostat.service import ServiceSettings, read_settings
from heliostat.testing.service import make_token, serving

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
BLOCKS = [text for text in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.M | re.S) if "curl " in text]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    log = str(tmp_path_factory.mktemp("docs") / "runs.db")
    with serving(ServiceSettings(log=log)) as host:
        yield {"URL": f"http://{host}", "TOKEN": make_token(log), "PATH": "/usr/bin:/bin"}


def test_the_samples_work_in_their_order(environment):
    assert len(BLOCKS) == 4
    for block in BLOCKS:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    assert '"name":"greeting"' in done.stdout


def test_the_config_file_of_a_cluster_is_one_that_serve_takes():
    path = ROOT / "cluster" / "serve.yaml"
    code = (
        "import sys, yaml\n"
        "from ray.serve.schema import ServeDeploySchema\n"  # warns of itself where it is imported
        "ServeDeploySchema(**yaml.safe_load(open(sys.argv[1])))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    (application,) = data["applications"]
    assert application["import_path"] == "heliostat.service.serve:application"
    settings = read_settings(application["args"])
    assert settings.replicas == 4
    assert settings.hosts == ("heliostat.example",)
