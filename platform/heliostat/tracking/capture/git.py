"""The version of the code: commit, branch, and what the working tree adds to it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heliostat.tracking.capture.programs import answer_of

LARGEST_DIFF = 2**20
"""Bytes; a larger one is data, not a change of code."""

_PATIENCE = 5.0
_DIFF = ("diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True)
class Version:
    """A working tree's state.

    Args:
        commit: Hash of the present commit.
        branch: Its branch; ``HEAD`` if there is none.
        is_dirty: Whether tracked files differ from the commit; ``None`` if git did not say in time.
        diff: How they differ, cut at :data:`LARGEST_DIFF`.
    """

    commit: str
    branch: str
    is_dirty: bool | None
    diff: str


def version(folders: Sequence[Path]) -> Version | None:
    """The version of the code in the first of these folders that is in a working tree."""
    git = shutil.which("git")
    if git is None:
        return None
    for place in folders:
        question = [git, "-C", str(place), "rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD"]
        lines = (answer_of(question, seconds=_PATIENCE) or "").splitlines()
        if len(lines) == 3:
            top, commit, branch = lines
            diff = answer_of([git, "-C", top, *_DIFF], seconds=_PATIENCE, most=LARGEST_DIFF)
            return Version(commit, branch, None if diff is None else bool(diff), _marked(diff or ""))
    return None


def _marked(diff: str) -> str:
    if len(diff.encode("utf-8", "replace")) < LARGEST_DIFF:
        return diff
    return f"{diff}\n[the difference beyond {LARGEST_DIFF // 2**20} MiB is not kept]\n"
