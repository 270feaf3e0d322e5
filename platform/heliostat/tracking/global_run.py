"""The run that this process is: one that ``heliostat run`` or a parent process opened, or its own."""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from dataclasses import replace
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.registry import shared_log
from heliostat.tracking.capture import packages
from heliostat.tracking.capture.parts import read_parts
from heliostat.tracking.creation import create_run
from heliostat.tracking.run_context import RunContext

VARIABLE = "HELIOSTAT_RUN"
"""Environment variable that makes child processes log into the same run."""

_run: RunContext | None = None
_finding = threading.RLock()


def process_run() -> RunContext:
    """The process's run; the first call joins it or opens it.

    A run that was opened here ends with the process: completed, or failed by an uncaught exception.
    """
    global _run  # noqa: PLW0603  # a process has one
    if _run is None:
        with _finding:
            if _run is None:
                _run = _joined() if VARIABLE in os.environ else _opened()
    return _run


def process_run_if_any() -> RunContext | None:
    """The process's run, if there is one already."""
    return process_run() if _run is not None or VARIABLE in os.environ else None


def address(run: RunContext) -> str:
    """What a child process needs in :data:`VARIABLE` to log into this run."""
    return json.dumps({"run": run.id, "attempt": run.attempt, "log": run.url})


def _opened() -> RunContext:
    run = create_run()
    os.environ[VARIABLE] = address(run)
    return run


def _joined() -> RunContext:
    named = _named()
    log = shared_log(named["log"])
    run = RunContext(log, replace(log.run(named["run"]), attempt=named["attempt"]))
    if "packages" in read_parts():
        _record_packages(run)
        atexit.register(_record_packages, run)  # what is imported grows
    return run


def _record_packages(run: RunContext) -> None:
    run.record_facts({"python": sys.version.partition(" ")[0], "packages": packages.imported()})


def _named() -> dict[str, Any]:
    text = os.environ.get(VARIABLE, "")
    try:
        found = json.loads(text)
        return {"run": int(found["run"]), "attempt": int(found["attempt"]), "log": str(found["log"])}
    except (ValueError, TypeError, KeyError):
        rule = "must be what heliostat run put there"
        raise InvalidValue(VARIABLE, rule, given=text, remedy=f"Unset {VARIABLE}.") from None


def _after_fork() -> None:
    global _finding  # noqa: PLW0603  # another thread may have held it
    _finding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
