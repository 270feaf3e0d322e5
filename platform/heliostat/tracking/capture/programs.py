"""Asking other programs, within bounds of time and size."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence


def answer_of(command: Sequence[str], *, seconds: float, most: int = 2**16) -> str | None:
    """Standard output of a program that ends well; ``None`` if it fails, hangs or is not there.

    Args:
        command: Program and arguments.
        seconds: It is killed after so long.
        most: At most so many bytes are read; the rest is not waited for.
    """
    quiet = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet
        )
    except OSError:
        return None
    killer = threading.Timer(seconds, process.kill)
    killer.daemon = True
    killer.start()
    with process:
        content = process.stdout.read(most) if process.stdout else b""
        if len(content) == most:
            process.kill()
        code = process.wait()
        killer.cancel()
    return content.decode("utf-8", "replace") if code == 0 or len(content) == most else None
