"""What docs/tracking.md shows works, and it names everything."""

import re
from pathlib import Path

import pytest

from heliostat.testing.programs import ran
from heliostat.tracking.capture.parts import PARTS
from heliostat.tracking.recording import RunRecording

DOCS = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", DOCS, flags=re.MULTILINE | re.DOTALL))
def test_what_the_docs_show_works(log, tmp_path, code):
    ran(code, tmp_path)
    assert {str(run.state) for run in log.runs()} == {"completed"}


def test_the_docs_name_every_part_and_every_call():
    for part in PARTS:
        assert f"| `{part}` |" in DOCS
    for name in vars(RunRecording):
        if name.startswith(("log_", "set_", "add_")):
            family = {"set_parameter", "set_parameters", "set_parameter_source"}
            hidden = {"log_dev_metadata", "log_sys_metadata"}
            assert name in family | hidden or f"`{name}`" in DOCS, name
