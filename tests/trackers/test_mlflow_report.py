"""A report of an experiment among its runs in the official MLflow server."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from heliostat.cli import main
from heliostat.registry import open_log
from heliostat.testing.populated import record_runs
from heliostat.testing.synthetic import vision_runs, vision_spec
from heliostat_trackers.importers.mlflow import Skipped, read
from heliostat_trackers.mlflow import mirror

sys.path.insert(0, str(Path(__file__).parent))
from mlflow_server import free_port, mlflow_server, needs_server

__all__ = ["mlflow_server"]

pytestmark = needs_server


@pytest.fixture
def log(log_url):
    log = open_log(log_url)
    record_runs(log, vision_spec(), vision_runs(4))
    yield log
    log.close()


def report(log, *words, **environment):
    return CliRunner().invoke(main, ["report", "1", "--log", log.url, *words], env=environment)


def test_it_is_the_artifact_of_one_more_run(log, mlflow_server, tmp_path):
    """The second one takes the first one's place; a mirror at work minds neither."""
    done = report(log, "--mlflow", "--title", "For Monday", MLFLOW_TRACKING_URI=mlflow_server.url)
    assert done.exit_code == 0, done.output
    assert f"report.html is at {mlflow_server.url}/#/experiments/" in done.output
    mirror(log, mlflow_server.url)
    done = report(
        log, "--metrics", "--format", "markdown", "--uri", mlflow_server.url, "-o", str(tmp_path / "it")
    )
    assert done.exit_code == 0, done.output
    mirror(log, mlflow_server.url)

    (shelf,) = mlflow_server.experiments(log.identity).values()
    found = mlflow_server.ask("runs/search", experiment_ids=[shelf["experiment_id"]])["runs"]
    tags = [{tag["key"]: tag["value"] for tag in run["data"]["tags"]} for run in found]
    (place,) = [place for place, some in enumerate(tags) if "heliostat.report" in some]
    assert len(found) == 5
    assert tags[place]["mlflow.runName"] == "Report on cnn tuning"
    assert found[place]["info"]["status"] == "FINISHED"
    run = SimpleNamespace(id=found[place]["info"]["run_id"])
    assert sorted(mlflow_server.artifacts(run)) == ["report-metrics.md", "report.html"]
    assert mlflow_server.artifact(run, "report-metrics.md") == (tmp_path / "it").read_bytes()
    assert b"For Monday" in mlflow_server.artifact(run, "report.html")
    back = list(read(mlflow_server.url, experiment=shelf["name"], mirrored=True))
    assert [isinstance(item, Skipped) for item in back].count(True) == 1  # a report is nobody's trial


def test_without_a_server_it_says_so(log):
    done = report(log, "--mlflow", MLFLOW_TRACKING_URI="")
    assert done.exit_code != 0
    assert "MLflow server's address is needed" in done.output
    done = report(log, "--uri", f"localhost:{free_port()}")
    assert "must be an MLflow server's address" in done.output
