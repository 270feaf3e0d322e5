"""The program's main file."""

from __future__ import annotations

import sys
from pathlib import Path

LARGEST_SOURCE = 2**20
"""Bytes; a larger file is no program that somebody wrote."""


def main_file() -> Path | None:
    """The file that Python was started with; ``None`` in an interactive session."""
    found = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(found).absolute() if found else None
    return path if path is not None and path.is_file() else None


def script_of(command: list[str]) -> Path | None:
    """The script among the words of a command: the first of them that is a text file."""
    for word in command:
        if word in ("-m", "-c"):
            return None  # Python's own words: the code is not in a file that is named here
        path = Path(word).absolute()
        if path.is_file() and source_text(path) is not None:
            return path
    return None


def source_text(path: Path | None) -> str | None:
    """The text of a file; ``None`` if it is none, or too large."""
    try:
        if path is None or path.stat().st_size > LARGEST_SOURCE:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return None if b"\x00" in content else content.decode("utf-8", "replace")
