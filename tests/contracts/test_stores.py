from pathlib import Path

import pytest

from heliostat.testing.postgres import server_programs, shared_server
from heliostat.testing.stores import OpenLog, RunLogContract
from heliostat_trackers.store import open_log as open_store


class TestSqlite(RunLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return lambda: open_store(f"sqlite:///{tmp_path / 'logs' / 'heliostat.db'}")


@pytest.mark.skipif(server_programs() is None, reason="no PostgreSQL server on this machine")
class TestPostgres(RunLogContract):
    @pytest.fixture
    def open_log(self) -> OpenLog:
        url = shared_server().new_schema()
        return lambda: open_store(url)
