"""Follow the README of ``cluster/`` on two empty hosts, word by word, but for the installation.

The fenced blocks say on which machine they run; a ``ray`` and a ``heliostat`` of this environment take the
place of the installed ones, the hosts have homes of their own.

Run as root: ``python tests/kill/newcomer.py``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from head import alone
from hosts import Host, lay_network

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^```bash (\S+)\n(.*?)^```", (ROOT / "cluster" / "README.md").read_text(encoding="utf-8"), re.M | re.S
)


def programs(folder: Path) -> str:
    """A PATH with this environment's programs."""
    place = folder / "bin"
    place.mkdir()
    for name, module in (("ray", "ray.scripts.scripts"), ("heliostat", "heliostat.cli")):
        (place / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (place / name).chmod(0o700)
    return f"{place}:{Path(sys.executable).parent}:{os.environ['PATH']}"


def play(folder: Path) -> int:
    """All blocks in their order; the exit code of the first that fails."""
    lay_network()
    hosts = {"first": Host(1), "second": Host(2)}
    path = programs(folder)
    for name in hosts:
        (folder / name / ".ray").mkdir(parents=True)
    for machine, text in BLOCKS:
        if machine == "both-install":
            continue
        # No more of the second machine than the token comes from the first one.
        token = folder / "first" / ".ray" / "auth_token"
        if machine == "second":
            (folder / "second" / ".ray" / "auth_token").write_bytes(token.read_bytes())
        home = str(folder / machine)
        environment = {"HOME": home, "PATH": path, "HEAD": "10.77.0.1"}
        command = ["env", "-u", "RAY_ADDRESS", "bash", "-euc", f"cd {ROOT}\n{text}"]
        with (folder / "output.txt").open("wb") as output:
            code = hosts[machine].start(command, output, **environment).wait(240)
        print(f"== on the {machine} machine\n{(folder / 'output.txt').read_text()}", flush=True)
        if code:
            return code
    return 0


def main() -> int:
    if "--here" not in sys.argv:
        return subprocess.run(alone([], __file__), env={**os.environ}, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="heliostat-new-", ignore_cleanup_errors=True) as folder:
        return play(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
