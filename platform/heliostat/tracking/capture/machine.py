"""Where and how the program runs."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
from typing import Any

from heliostat.tracking.capture.gpus import seen

LONGEST_COMMAND = 10_000
_MEBIBYTE = 2**20


def user() -> str:
    """Who runs the program; empty if the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return ""


def host() -> dict[str, Any]:
    """The machine."""
    facts: dict[str, Any] = {"host": socket.gethostname(), "user": user(), "cpus": os.cpu_count()}
    if hasattr(os, "uname"):
        system = os.uname()
        facts["os"] = f"{system.sysname} {system.release} {system.machine}"
    return {key: value for key, value in facts.items() if value}


def command() -> dict[str, Any]:
    """The command line and the folder it was given in."""
    return command_facts(sys.orig_argv)


def command_facts(words: list[str]) -> dict[str, Any]:
    """A command line and the present folder."""
    return {"command": shlex.join(words)[:LONGEST_COMMAND], "folder": os.getcwd()}


def gpus() -> list[str]:
    """Names of NVIDIA's GPUs; empty without its driver."""
    return [gpu.name for gpu in seen()]


def peak_memory_mb(of_children: bool = False) -> float | None:
    """Most memory in MiB that this process, or its largest ended child, held; ``None`` if nobody counts."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if of_children else own
    if of_children and most <= own:
        return None  # a child begins as an image of its parent, so a smaller one's own peak is unknown
    return round(most * unit / _MEBIBYTE, 1)
