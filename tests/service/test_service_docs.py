"""What the documentation of the service says is what happens."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "service-experiments.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_curl_samples_work_in_their_order(tmp_path):
    from heliostat.service import ServiceSettings
    from heliostat.testing.service import make_token, serving

    (samples,) = re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    log = f"sqlite:///{tmp_path / 'runs.db'}"  # the samples name the first experiment and its first run
    with serving(ServiceSettings(log=log)) as host:
        variables = {"URL": f"http://{host}", "TOKEN": make_token(log), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            ["sh", "-ec", samples.replace("\ncurl", "\necho; curl")],
            env=variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    assert [item.get("status") for item in answers] == [None] * 7
    assert answers[4]["state"] == "completed"
    assert answers[5]["data"][0]["value"] == 2.5
    assert "FinishRun" in [event["kind"] for event in answers[6]["data"]]


def test_the_python_sample_works(writer, capsys):
    (sample,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    exec(sample.replace("budget=30", "budget=6"), {"url": writer.url, "token": writer.token})
    assert "completed" in capsys.readouterr().out
