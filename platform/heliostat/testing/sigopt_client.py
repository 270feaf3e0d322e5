"""The official client, unmodified, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heliostat.testing.service import Caller

PATIENCE = 120.0
"""Seconds that a program may take."""


@dataclass(frozen=True)
class OfficialClient:
    """An environment that holds the ``sigopt`` package.

    Args:
        folder: Of the environment.
        home: Where the client keeps its configuration and its programs run.
    """

    folder: Path
    home: Path

    def run(self, caller: Caller, program: str, *arguments: str, check: bool = True, **more: str) -> Any:
        """Run one of the environment's programs against a server.

        Args:
            caller: Address and token.
            program: Its name: ``python``, ``sigopt``, ``ipython``.
            arguments: Its arguments.
            check: Whether it must succeed.
            more: More variables.
        """
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        environment |= {
            "HOME": str(self.home),
            "SIGOPT_HOME": str(self.home / ".sigopt"),
            "SIGOPT_API_URL": caller.url,
            "SIGOPT_API_TOKEN": caller.token or "",
            "SIGOPT_PROJECT": "demo",
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore",
            **more,
        }
        environment["PATH"] = f"{self.folder / 'bin'}:{environment.get('PATH', '')}"
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not check or done.returncode == 0, f"{program} {arguments}: {done.stdout}\n{done.stderr}"
        return done


def build(folder: Path, pins: Path) -> Path:
    """The environment of these pins, built unless it is there."""
    done = folder / f"built-{hash_of(pins)}"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps"]
        subprocess.run([*pip, "-r", str(pins)], check=True)
        done.touch()
    return folder


def hash_of(path: Path) -> str:
    """A short fingerprint of a file."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
