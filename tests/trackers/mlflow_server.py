"""The official MLflow server for tests, in an environment of its own: started, stopped, silenced, asked."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VARIABLE = "HELIOSTAT_MLFLOW"
PATIENCE = 240.0


def executable():
    """The ``mlflow`` program of the official package, or ``None``; the skinny one has no server."""
    for found in (os.environ.get(VARIABLE), ROOT / ".venv-mlflow" / "bin" / "mlflow"):
        if found and shutil.which(found):
            return str(found)
    return None


needs_server = pytest.mark.skipif(
    executable() is None, reason=f"no MLflow server; build one with make mlflow-server, or set ${VARIABLE}"
)


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """One server for all tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may stop."""
    with running(tmp_path / "mlflow") as server:
        yield server


@contextlib.contextmanager
def running(folder):
    server = OfficialServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class OfficialServer:
    """``mlflow server`` on a port of its own; it keeps its data when it is stopped."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = None

    def start(self):
        settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        places = ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        places += ["--artifacts-destination", str(self.folder / "artifacts")]
        command = [executable(), "server", *places, "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workers", "1"],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        until(self._is_healthy, "the MLflow server's start")

    def stop(self):
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def silence(self):
        """From now on it takes connections, and never answers."""
        self._signal(signal.SIGSTOP)

    def wake(self):
        """It goes on where it was; what it was asked meanwhile it does now."""
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _is_healthy(self):
        assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def ask(self, path, **body):
        """A question of MLflow's REST interface."""
        data = json.dumps(body).encode() if body else None
        address = f"{self.url}/api/2.0/mlflow/{path}"
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def experiments(self, log):
        """The experiments that mirror a log, by name."""
        found = self.ask(
            "experiments/search", max_results=1000, view_type="ALL", filter=f"tags.`heliostat.log` = '{log}'"
        )
        return {item["name"]: item for item in found.get("experiments", [])}

    def runs(self, log, view="ACTIVE_ONLY"):
        """The runs that mirror a log's runs, in the order of their numbers."""
        ids = [item["experiment_id"] for item in self.experiments(log).values()]
        if not ids:
            return []
        found = self.ask("runs/search", experiment_ids=ids, max_results=1000, run_view_type=view)
        return sorted(map(MirroredRun, found.get("runs", [])), key=lambda run: run.run)

    def history(self, run, key):
        """A metric's points as (step, value, milliseconds)."""
        found = self.ask(f"metrics/get-history?run_id={run.id}&metric_key={urllib.parse.quote(key)}")
        return sorted(
            (int(item.get("step", 0)), item["value"], int(item["timestamp"]))
            for item in found.get("metrics", [])
        )

    def artifacts(self, run, path=""):
        """Paths of all files beside a run."""
        found = self.ask(f"artifacts/list?run_id={run.id}&path={urllib.parse.quote(path)}").get("files", [])
        inner = [name for item in found if item["is_dir"] for name in self.artifacts(run, item["path"])]
        return sorted([item["path"] for item in found if not item["is_dir"]] + inner)

    def artifact(self, run, path):
        """The content of a file beside a run."""
        address = f"{self.url}/get-artifact?run_id={run.id}&path={urllib.parse.quote(path)}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()


class MirroredRun:
    """A run as MLflow's REST shows it."""

    def __init__(self, found):
        info, data = found["info"], found["data"]
        self.id, self.name, self.status = info["run_id"], info["run_name"], info["status"]
        self.experiment, self.stage = info["experiment_id"], info["lifecycle_stage"]
        self.start, self.end = int(info["start_time"]), int(info.get("end_time", 0))
        self.tags = {item["key"]: item["value"] for item in data.get("tags", [])}
        self.params = {item["key"]: item["value"] for item in data.get("params", [])}
        self.metrics = {item["key"]: item["value"] for item in data.get("metrics", [])}
        self.datasets = [item["dataset"] for item in found.get("inputs", {}).get("dataset_inputs", [])]
        self.run = int(self.tags["heliostat.run"].rpartition("/")[2])


REFUSALS = {
    "refuse": (400, {}, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}'),
    "fail": (500, {}, b'{"error_code": "INTERNAL_ERROR", "message": "no"}'),
    "forbid": (403, {}, b'{"error_code": "PERMISSION_DENIED", "message": "no"}'),
}


class Proxy:
    """Stands between a mirror and a server, and spoils what `spoil` says.

    Args:
        server: The real one.
        spoil: Called with each request's path. ``None`` passes it on; ``"drop"`` carries it out and hides the
            answer; a number carries it out that many seconds later and hides the answer; ``"refuse"``,
            ``"forbid"`` and ``"fail"`` answer 400, 403 and 500 instead.
    """

    def __init__(self, server, spoil):
        self.seen = []
        self._late = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                length = int(self.headers.get("Content-Length") or 0)
                data = self.rfile.read(length) if length else None
                how = spoil(self.path)
                proxy.seen.append(self.path)
                request = urllib.request.Request(
                    server.url + self.path, data, dict(self.headers), method=self.command
                )
                if how is None:
                    self.answer(*fetched(request))
                    return
                if how in REFUSALS:
                    self.answer(*REFUSALS[how])
                    return
                if how == "drop":
                    fetched(request)
                else:
                    late = threading.Timer(how, fetched, [request])
                    proxy._late.append(late)
                    late.start()
                self.close_connection = True  # no answer: the client sees the connection close

            def answer(self, status, headers, content):
                self.send_response(status)
                self.send_header("Content-Type", headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.pass_on)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for late in self._late:
            late.join()


def fetched(request):
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(is_so, what, seconds=PATIENCE):
    """Wait until something is so, and fail if that takes too long."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found
