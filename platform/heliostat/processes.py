"""Which process of which machine this is, in a form that others can check later."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any


def this_process() -> list[str | int]:
    """What identifies this process for as long as its machine is up.

    Machine, process id, and when the process began (in the kernel's ticks).
    """
    return [socket.gethostname(), os.getpid(), _beginning(os.getpid())]


def is_gone(process: Any) -> bool:
    """Whether a process was on this machine and is there no more; of other machines' nobody can tell here."""
    if not isinstance(process, (list, tuple)) or len(process) != 3 or process[0] != socket.gethostname():
        return False
    return bool(_beginning(int(process[1])) != process[2])


def _beginning(process: int) -> int:
    """When a process began; 0 if there is none, -1 where the system does not say."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        # The name in parentheses may hold anything. The state follows (Z and X: dead), 19 later the start.
        fields = stat.rpartition(")")[2].split()
        return 0 if fields[0] in "ZX" else int(fields[19])
    except FileNotFoundError:
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return 0
    except OSError:
        return -1
    return -1
