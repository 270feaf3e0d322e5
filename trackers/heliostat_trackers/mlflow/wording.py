"""What MLflow lets a name and a text be, and how ours are brought into that form.

MLflow's names hold letters, digits, spaces and ``_ - . / :``; ours hold anything. A character that is not
allowed becomes ``_``; the original stays in the tag ``heliostat.names`` and in ``heliostat/run.json``. Texts
that are too long end with a sentence that says so.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST_NAME = 250
LONGEST_PARAM = 6000
LONGEST_TAG = 5000
"""Characters; servers before MLflow 2.12 refuse tags beyond, present ones beyond 8000."""

LONGEST_EXPERIMENT_TAG = 5000
LONGEST_TITLE = 250
"""Characters of an experiment's name: MLflow says 500, its column on PostgreSQL takes 256."""

_FORBIDDEN = re.compile(r"[^\w.\-/: ]")
_WHERE = "the whole is in heliostat/run.json"


def plain_name(name: str) -> str:
    """The name, with what MLflow refuses replaced by ``_``; two names may become one (see :func:`keys`)."""
    key = _FORBIDDEN.sub("_", name)
    # MLflow treats names as paths: they must not change when normalized, nor lead elsewhere.
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        key = key.replace("/", "_")
        key = f"_{key}" if key in ("", ".", "..") or key.startswith("..") else key
    return key if len(key) <= LONGEST_NAME else f"{key[: LONGEST_NAME - 9]}.{fingerprint(name)}"


def keys(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Name → MLflow's name, no two alike.

    Args:
        names: What is to be named.
        known: Names that were changed earlier; they keep what they were given, so that a metric's points
            stay together.
    """
    wanted = sorted(set(names), key=lambda name: (plain_name(name) != name, name))
    found = {name: known[name] for name in wanted if name in known}
    taken = set(known.values())
    for name in wanted:
        if name not in found:
            key = plain_name(name)
            if key in taken:
                key = f"{key[: LONGEST_NAME - 9]}.{fingerprint(name)}"
            taken.add(key)
            found[name] = key
    return found


def text(value: Any) -> str:
    """A value as MLflow keeps it: texts as they are, numbers in full precision, all else as JSON."""
    if isinstance(value, str):
        found = value
    elif value is None or isinstance(value, (bool, int, float)):
        found = repr(value)
    else:
        found = json.dumps(value, ensure_ascii=False, default=str)
    # PostgreSQL refuses NUL, and a lone surrogate has no UTF-8: neither may stop the rest of a run.
    return found.replace("\x00", "\u2400").encode("utf-8", "replace").decode("utf-8")


def cut(value: str, longest: int, where: str = _WHERE) -> str:
    """A text of at most `longest` characters that says so if it was longer."""
    if len(value) <= longest:
        return value
    end = f"… ({len(value)} characters; {where})"
    return value[: longest - len(end)] + end


def fingerprint(value: str | bytes) -> str:
    """Eight hexadecimal digits that tell texts apart."""
    content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return hashlib.sha256(content).hexdigest()[:8]


def milliseconds(time: float) -> int:
    """MLflow's times: milliseconds since the epoch, never negative."""
    return max(0, round(time * 1000))
