"""The whole service is killed while MLflow clients log: nothing acknowledged is lost or made twice."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from heliostat.registry import open_log
from heliostat.testing.service import make_token
from heliostat.trial import State

mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.slow

SERVE = """
import sys, uvicorn
from heliostat.service import ServiceSettings, create_app
uvicorn.run(create_app(ServiceSettings(log=sys.argv[1])), port=int(sys.argv[2]), log_level="error")
"""
WORKERS, RUNS, KILLS = 3, 6, 2


def test_killing_the_service_loses_and_doubles_nothing(service_log, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    log = open_log(service_log)
    token = make_token(service_log)
    for name, value in (
        ("MLFLOW_TRACKING_TOKEN", token),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "10"),
        ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1"),
        ("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true"),
    ):
        monkeypatch.setenv(name, value)

    def serve():
        return subprocess.Popen([sys.executable, "-c", SERVE, service_log, str(port)], start_new_session=True)

    def worker(place):
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        for number in range(RUNS):
            run = client.create_run("0", run_name=f"{place}-{number}").info.run_id
            client.log_param(run, "number", number)
            for step in range(3):
                client.log_metric(run, "m", step, step=step)
            client.set_terminated(run)

    server = serve()
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            working = [pool.submit(worker, place) for place in range(WORKERS)]
            for kill in range(1, KILLS + 1):
                wanted = kill * WORKERS * RUNS // (KILLS + 1)
                while len(log.runs(project="default")) < wanted:
                    assert not any(item.done() and item.exception() for item in working)
                    time.sleep(0.05)
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
                server = serve()
            for item in working:
                item.result()
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    runs = log.runs(project="default", curves=True)
    log.close()
    assert sorted(run.name for run in runs) == sorted(f"{w}-{n}" for w in range(WORKERS) for n in range(RUNS))
    assert {run.state for run in runs} == {State.COMPLETED}
    assert all(run.assignments == {"number": int(run.name.partition("-")[2])} for run in runs)
    assert all([point.step for point in run.curve] == [0, 1, 2] for run in runs)
