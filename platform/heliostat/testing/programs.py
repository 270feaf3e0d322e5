"""Programs, run as their authors would run them, and the one run that they left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from heliostat.ports import RunLog
from heliostat.trial import Run


def ran(
    code: str, folder: Path, *, fails: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A program that has ended, with its output.

    Args:
        code: Its source.
        folder: Where it is written to and run.
        fails: Whether it has to end with another exit code than 0.
        **environment: Variables beside those of this process.
    """
    script = folder / "program.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(  # the tests' own programs
        [sys.executable, str(script)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done


def only(log: RunLog) -> Run:
    """The one run of a log, with its curve."""
    (run,) = log.runs(curves=True)
    return log.run(run.id)
