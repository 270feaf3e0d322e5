"""Optuna Dashboard and MLflow's pages with the same runs, for the benchmark of ours.

Each has a virtual environment of its own, made when it is first needed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from heliostat.trial import Run

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
DRAWN = ".js-plotly-plot:has(.trace, .gl-container canvas)"
"""A plotly figure with something in it."""


@dataclass(frozen=True)
class Peer:
    """A product with pages.

    Args:
        name: In the table.
        folder: Its environment.
        requirements: What is installed in its environment.
        filler: Script in ``peers`` that takes a file of runs and the file of a store.
        serve: The command line of its server, from interpreter, store and port.
        path: Of the page that is like our overview.
        drawn: CSS of one figure that is drawn.
        figures: How many of them the page has at least.
    """

    name: str
    folder: Path
    requirements: Sequence[str]
    filler: str
    serve: Callable[[Path, Path, int], Sequence[str]]
    path: str
    drawn: str
    figures: int

    def python(self) -> Path:
        """The interpreter of its environment, which is made first where it is missing."""
        python = self.folder / "bin" / "python"
        if not (self.folder / ".ready").exists():
            subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *self.requirements], check=True)
            (self.folder / ".ready").touch()
        return python

    def fill(self, runs: Path, store: Path) -> None:
        """Put runs into a new store."""
        command = [str(self.python()), str(PEERS / self.filler), str(runs), str(store)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_plain())

    @contextlib.contextmanager
    def serving(self, store: Path) -> Iterator[tuple[str, int]]:
        """Its server: the address of the page, and the process."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with (store.parent / "server.log").open("ab") as said:
            process = subprocess.Popen(
                self.serve(self.python(), store, port),
                stdout=said,
                stderr=said,
                env=_plain(),
                start_new_session=True,
            )
            try:
                _await(f"http://127.0.0.1:{port}/", process)
                yield f"http://127.0.0.1:{port}{self.path}", process.pid
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _optuna(python: Path, store: Path, port: int) -> list[str]:
    return [str(python.with_name("optuna-dashboard")), f"sqlite:///{store}", "--port", str(port)]


def _mlflow(python: Path, store: Path, port: int) -> list[str]:
    options = ["--backend-store-uri", f"sqlite:///{store}", "--host", "127.0.0.1", "--port", str(port)]
    return [str(python), "-m", "mlflow", "server", *options, "--workers", "1"]


OPTUNA = Peer(
    "Optuna Dashboard",
    ROOT / ".venv-peers" / "optuna-dashboard",
    ("optuna-dashboard==0.21.0",),
    "pages_optuna.py",
    _optuna,
    "/dashboard/studies/1",
    DRAWN,
    4,
)
MLFLOW = Peer(
    "MLflow",
    ROOT / ".venv-mlflow",
    ("mlflow==3.17.2",),
    "pages_mlflow.py",
    _mlflow,
    "/#/experiments/1/runs?compareRunsMode=CHART",
    DRAWN,
    3,
)


def write_runs(runs: Sequence[Run], path: Path) -> None:
    """The runs as the peers' fillers read them; one without a number for a metric leaves it out."""
    path.write_text(json.dumps([_plain_run(run) for run in runs]))


def _plain_run(run: Run) -> dict[str, object]:
    metrics = {name: item.value for name, item in run.values.items() if item.value == item.value}
    started = run.started or run.created
    return {
        "number": run.number,
        "state": run.state.value,
        "params": dict(run.assignments),
        "metrics": metrics,
        "curve": [(point.step, dict(point.values)) for point in run.curve],
        "started": started,
        "ended": run.ended or started + 1,
    }


def _plain() -> dict[str, str]:
    """Our own settings are none of theirs."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "MLFLOW", "HELIOSTAT"))
    }


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")
