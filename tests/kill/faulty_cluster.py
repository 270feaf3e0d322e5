"""Plant faults on the hosts of a cluster, and let ``heliostat cluster check`` find them.

Hosts are those of ``hosts.py``. One JSON line each tells what the command found:

``sound``
    two nodes with a token, the head node's log, a shared storage: nothing
``stranger``
    the command is given another token
``few``
    a node is missing
``faulty``
    a second node with another Heliostat and a clock an hour ahead; a third that declares a GPU which it
    lacks, and sees another folder where the storage should be
``unreachable``
    a database and a service that nobody answers for
``open``
    no token, and the dashboard on all addresses

Run as root: ``python tests/kill/faulty_cluster.py``.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from head import alone
from hosts import Host, lay_network, until

HEAD = ("--head", "--port=6379", "--num-cpus=1")
JOIN = ("--address=10.77.0.1:6379", "--num-cpus=1")
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
OPEN = {"RAY_AUTH_MODE": "disabled"}
AHEAD = "import time\nreal = time.time\ntime.time = lambda: real() + 3600\n"


def other_python(folder: Path) -> str:
    """A folder for PYTHONPATH: a Heliostat of another version, and a clock an hour ahead."""
    place = folder / "other"
    info = place / "heliostat-9.9.9.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heliostat\nVersion: 9.9.9\n")
    (info / "entry_points.txt").write_text(distribution("heliostat").read_text("entry_points.txt") or "")
    (place / "sitecustomize.py").write_text(AHEAD)
    return str(place)


def check(host: Host, *options: str, env: dict[str, str]) -> dict[str, Any]:
    """The command on a host: its exit code, and its findings by name."""
    command = [sys.executable, "-m", "heliostat.cli", "cluster", "check", "--json", *options]
    done = host.call(*command, **env)
    if done.returncode > 1:
        return {"code": done.returncode, "error": done.stderr[-2000:]}
    found = json.loads(done.stdout)["findings"]
    return {"code": done.returncode, **{item["check"]: [item["status"], item["detail"]] for item in found}}


def play(folder: Path) -> None:
    """All states, one after the other."""
    lay_network()
    storage = folder / "storage"
    storage.mkdir()
    first, second = Host(1), Host(2)
    asked = ("--log", f"ray://{folder}/runs.db", "--storage", str(storage))
    first.ray(folder, *HEAD, env=TOKEN)
    second.ray(folder, *JOIN, env=TOKEN)
    tell("sound", check(first, *asked, "--nodes", "2", env=TOKEN))
    tell("stranger", check(first, env={**TOKEN, "RAY_AUTH_TOKEN": "0" * 64}))
    second.lose_power()
    second.power_up()
    second.ray(folder, *JOIN, env={**TOKEN, "PYTHONPATH": other_python(folder)})
    third = Host(3, mounts=f"mount -t tmpfs none {storage}")
    third.ray(folder, *JOIN, "--num-gpus=1", env=TOKEN)
    until("the lost node's end", lambda: living(first) == 3)
    tell("few", check(first, "--nodes", "4", env=TOKEN))
    tell("faulty", check(first, *asked, env=TOKEN))
    nowhere = (
        "--log",
        "postgresql://nobody:secret@10.77.0.1:5432/none",
        "--service",
        "http://10.77.0.1:8000",
    )
    tell("unreachable", check(first, *nowhere, env=TOKEN))
    for host in (first, second, third):
        host.lose_power()
    first.power_up()
    first.ray(folder, *HEAD, "--dashboard-host=0.0.0.0", env=OPEN)
    tell("open", check(first, env=OPEN))


def living(head: Host) -> int:
    """How many nodes the head node takes for alive."""
    found = check(head, env=TOKEN).get("nodes", ["", "0"])
    return int(str(found[1]).partition(":")[0]) if found[0] == "ok" else 0


def tell(state: str, found: dict[str, object]) -> None:
    """One line."""
    print(json.dumps({state: found}), flush=True)


def main() -> int:
    if "--here" not in sys.argv:
        return subprocess.run(alone([], __file__), env={**os.environ}, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="heliostat-check-", ignore_cleanup_errors=True) as folder:
        play(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
