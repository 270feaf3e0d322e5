from pathlib import Path

import pytest

from heliostat.testing.stores import OpenLog, RunLogContract
from heliostat_trackers.store import open_log as open_sqlite


class TestSqlite(RunLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return lambda: open_sqlite(f"sqlite:///{tmp_path / 'logs' / 'heliostat.db'}")
