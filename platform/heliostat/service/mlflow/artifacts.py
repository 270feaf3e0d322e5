"""Paths of artifacts: names of files in the log, arranged as folders. No path ever touches a disk of ours.

What a client would be led astray by when it downloads is refused all the same: ``..``, absolute paths,
drives, backslashes, control characters, whether plain or percent-encoded once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from heliostat.errors import InvalidValue
from heliostat.ports import FileRecord

LONGEST_PATH = 1000
MODELS = "mlflow-models"
"""The folder among a run's files that holds those of its models; MLflow's lists of a run do not show it."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\\#]")
_DRIVE = re.compile(r"[A-Za-z]:")
_TYPE = re.compile(r"[A-Za-z0-9.+\-]{1,60}/[A-Za-z0-9.+\-]{1,60}")


class Place(NamedTuple):
    """Where an artifact lies: of which run or model (MLflow's ids), and its path there."""

    experiment: str
    run: str
    model: str
    path: str


def read_place(text: str) -> Place:
    """The place that an ``mlflow-artifacts:`` address names.

    ::

        EXPERIMENT/RUN/artifacts/PATH
        EXPERIMENT/models/MODEL/artifacts/PATH

    Raises:
        InvalidValue: It names none.
    """
    parts = text.strip("/").split("/")
    if len(parts) >= 4 and parts[1] == "models" and parts[3] == "artifacts":
        return Place(parts[0], "", parts[2], "/".join(parts[4:]))
    if len(parts) >= 3 and parts[2] == "artifacts":
        return Place(parts[0], parts[1], "", "/".join(parts[3:]))
    remedy = "Use EXPERIMENT/RUN/artifacts/PATH, as the run's artifact_uri says."
    raise InvalidValue("path", "must lead to the artifacts of a run or a model", given=text, remedy=remedy)


def safe_path(path: str) -> str:
    """The path itself.

    Raises:
        InvalidValue: It could lead somewhere else.
    """
    if not is_safe(path):
        rule = "must be a relative path without '..', backslashes, '#' and control characters"
        raise InvalidValue("path", rule, given=path, remedy="Choose plain names.")
    return path


def is_safe(path: str) -> bool:
    """Whether nobody can be led astray by a path, however often it is decoded."""
    if not 0 < len(path) <= LONGEST_PATH:
        return False
    for _ in range(5):
        parts = path.split("/")
        if _CONTROL.search(path) or _DRIVE.match(path) or any(part in ("", ".", "..") for part in parts):
            return False
        decoded = unquote(path)
        if decoded == path:
            break
        path = decoded
    return not any(0xD800 <= ord(char) < 0xE000 for char in path)


def content_type(declared: str | None) -> str:
    """The type to keep of a file."""
    plain = (declared or "").partition(";")[0].strip()
    return plain.lower() if _TYPE.fullmatch(plain) else "application/octet-stream"


def newest(files: Iterable[FileRecord], folder: str = "") -> dict[str, FileRecord]:
    """Files by path within a folder; of several of one path the last one counts.

    Args:
        files: A run's files, oldest first.
        folder: Only those in it, with their paths below it. The run's own (``""``) are without its models'.
    """
    start = f"{folder}/" if folder else ""
    found = {item.name.removeprefix(start): item for item in files if item.name.startswith(start)}
    is_own = not folder
    return {
        path: item
        for path, item in found.items()
        if is_safe(path) and not (is_own and path.startswith(f"{MODELS}/"))
    }


def listing(files: dict[str, FileRecord], folder: str) -> list[tuple[str, int | None]]:
    """What lies directly in a folder, by path: its size, or ``None`` for another folder."""
    start = f"{folder}/" if folder else ""
    found: dict[str, int | None] = {}
    for path, item in files.items():
        if path.startswith(start):
            name, slash, _ = path[len(start) :].partition("/")
            found[start + name] = None if slash else item.size
    return sorted(found.items())
