"""The contract of every run log, held by the one that lives on the head node of a Ray cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heliostat.testing.stores import OpenLog, RunLogContract
from heliostat_trackers import head

# Each test has a file of its own and so waits for an actor of its own.
pytestmark = [pytest.mark.ray, pytest.mark.slow]


class TestHeadNode(RunLogContract):
    @pytest.fixture
    def open_log(self, ray_cluster: Any, tmp_path: Path) -> Iterator[OpenLog]:
        url = f"ray://{tmp_path / 'logs' / 'heliostat.db'}"
        yield lambda: head.open_log(url)
        head.stop(url)
