"""What lies beside a run as files: its whole story, its texts, and where its own files go."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from heliostat.objects import run_object
from heliostat.ports import FileRecord
from heliostat.trial import Run

RUN_JSON = "heliostat/run.json"
EXPERIMENT_JSON = "heliostat/experiment.json"

_PLACES = {
    "stdout": "logs/stdout.txt",
    "stderr": "logs/stderr.txt",
    "packages": "source/packages.txt",
    "diff": "source/diff.patch",
}
_UNSAFE = re.compile(r"[^\w.\- ]")


def papers(run: Run, texts: Mapping[str, str], *, script: str, declaration: str = "") -> dict[str, bytes]:
    """Path → content of the files that tell what MLflow's tables have no room for.

    Args:
        run: With its curve.
        texts: By stream.
        script: Name of the program's file, if known.
        declaration: The experiment's, if it is too long for a tag.
    """
    found = {RUN_JSON: json.dumps(run_object(run), ensure_ascii=False, indent=1, default=str)}
    if declaration:
        found[EXPERIMENT_JSON] = declaration
    if run.failure is not None and run.failure.traceback:
        found["heliostat/traceback.txt"] = run.failure.traceback
    for stream, content in texts.items():
        if content:
            found[_place(stream, script)] = content
    return {path: content.encode("utf-8", "replace") for path, content in found.items()}


def digest(found: Mapping[str, bytes]) -> str:
    """Differs when any of the files does."""
    whole = hashlib.sha256()
    for path in sorted(found):
        whole.update(path.encode() + b"\x00" + hashlib.sha256(found[path]).digest())
    return whole.hexdigest()[:16]


def file_places(files: Sequence[FileRecord]) -> dict[int, str]:
    """Where each file of a run goes; the first of a name keeps it."""
    found: dict[int, str] = {}
    for record in files:
        name = _safe(record.filename or record.name)
        path = f"files/{name}"
        found[record.id] = path if path not in found.values() else f"files/{record.id}-{name}"
    return found


def _place(stream: str, script: str) -> str:
    if stream == "source":
        return f"source/{_safe(script or 'source.txt')}"
    return _PLACES.get(stream) or f"logs/{_safe(stream)}.txt"


def _safe(name: str) -> str:
    # A name of dots alone would lead to another folder.
    return _UNSAFE.sub("_", name.rpartition("/")[2]).strip(". ")[:120] or "unnamed"
