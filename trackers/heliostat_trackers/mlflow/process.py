"""A mirror in a process of its own, for programs that write to the log."""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heliostat.errors import StorageError
from heliostat.ports import RunLog
from heliostat.registry import log_url
from heliostat_trackers.mlflow.session import PATIENCE, tracking_uri

logger = logging.getLogger("heliostat")


class MirrorProcess:
    """A mirror at work in the background; made by :func:`start_mirror`.

    It ends with :meth:`close`. When this process ends without that, also by a kill, the mirror brings over
    what the log holds, and ends by itself.
    """

    def __init__(self, process: subprocess.Popen[str], task: Mapping[str, Any]) -> None:
        self._process = process
        self._news = threading.Condition()
        self._flushed = 0
        self._asked = 0
        self._waits_for = ""
        self._tell(json.dumps(task))
        self._listener = threading.Thread(target=self._listen, name="heliostat-mlflow", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The mirror's process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the mirror is at work."""
        return self._process.poll() is None

    @property
    def waits_for(self) -> str:
        """Why the mirror is waiting, if it is."""
        return self._waits_for

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until all that the log has acknowledged so far is in MLflow; whether that came in time."""
        with self._news:
            self._asked += 1
            asked = self._asked
        if not self._tell(f"flush {asked}"):
            return False
        with self._news:
            self._news.wait_for(lambda: self._flushed >= asked or not self.is_alive, timeout)
            return self._flushed >= asked

    def close(self, timeout: float = 30.0) -> bool:
        """Let the mirror bring over what the log holds, and end it; whether it was done in time."""
        with_all = self._end_of_orders(timeout)
        self._listener.join(timeout=5.0)
        if self._process.stdout is not None and not self._listener.is_alive():
            self._process.stdout.close()
        return with_all

    def __enter__(self) -> MirrorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end_of_orders(self, timeout: float) -> bool:
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended
                self._process.stdin.close()
        try:
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            self._process.terminate()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return False

    def _tell(self, line: str) -> bool:
        if self._process.stdin is None or self._process.stdin.closed:
            return False
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError:
            return False
        return True

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            word, _, rest = line.strip().partition(" ")
            with self._news:
                if word == "flushed":
                    self._flushed = int(rest)
                elif word == "waits":
                    self._hear_wait(rest)
                elif word == "failed":
                    logger.warning("the MLflow mirror has ended: %s", rest)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _hear_wait(self, reason: str) -> None:
        if reason and not self._waits_for:
            logger.warning("the MLflow mirror is waiting: %s", reason)
        self._waits_for = reason


def start_mirror(
    log: RunLog | str | Path | None = None,
    uri: str | None = None,
    *,
    project: str | None = None,
    patience: float = PATIENCE,
) -> MirrorProcess:
    """Start a mirror in a process of its own, which follows the log and never delays who writes to it.

    Args:
        log: A run log, or its path or URL; by default ``$HELIOSTAT_LOG``, else ``heliostat.db`` here.
        uri: The server's address; by default ``$MLFLOW_TRACKING_URI``.
        project: Only this project's runs.
        patience: Seconds for which it waits, at its end, for a server that is away.

    Raises:
        InvalidValue: No address was given, or one that is not an MLflow server's.
        StorageError: The process cannot be started.
    """
    place = log_url(log) if isinstance(log, (str, Path)) or log is None else log.private_url
    task = {"log": place, "uri": tracking_uri(uri), "project": project, "patience": patience}
    command = [sys.executable, "-m", "heliostat_trackers.mlflow"]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is meant for the program, which then ends its mirror in order
        )
    except OSError as error:
        raise StorageError(
            f"the MLflow mirror could not be started ({error})", code="HS-MLFLOW-006"
        ) from error
    return MirrorProcess(process, task)
