"""What tests of the run log share."""

import sys
from pathlib import Path

import pytest

from heliostat.registry import open_log

sys.path.insert(0, str(Path(__file__).parent))  # for modules that several of them import


@pytest.fixture
def log(tmp_path):
    """A new log in a file."""
    opened = open_log(tmp_path / "runs.db")
    yield opened
    opened.close()
