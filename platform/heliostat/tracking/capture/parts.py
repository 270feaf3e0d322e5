"""Which parts are captured."""

from __future__ import annotations

import os
from collections.abc import Iterable

from heliostat.errors import InvalidValue

VARIABLE = "HELIOSTAT_CAPTURE"

PARTS = {
    "git": "commit and branch, whether the tree is dirty, and how it differs from the commit",
    "source": "text of the program's main file",
    "command": "command line and folder",
    "packages": "versions of Python and of installed packages",
    "host": "host, user, operating system, number of processors",
    "gpus": "names of the GPUs",
    "output": "what is written to stdout and stderr, while it is written",
    "memory": "peak memory of the process",
}
"""What can be captured; duration, state and the exception of a run are always recorded."""

Parts = str | Iterable[str] | bool | None


def read_parts(given: Parts = None) -> frozenset[str]:
    """The parts to capture.

    Args:
        given: Names from :data:`PARTS` (a text with commas, or any iterable); with a minus before each, all
            but these. ``True`` or ``"all"``, ``False`` or ``"none"``. By default ``$HELIOSTAT_CAPTURE``, else
            all.

    Raises:
        InvalidValue: A name is unknown, or names with and without minus are mixed.
    """
    if given is None:
        given = os.environ.get(VARIABLE) or True
    if isinstance(given, bool):
        return frozenset(PARTS if given else ())
    names = [item.strip() for item in (given.split(",") if isinstance(given, str) else given)]
    wanted = {item for item in names if item not in ("", "all", "none")}
    without = {item.removeprefix("-") for item in wanted if item.startswith("-")}
    for item in wanted:
        if item.removeprefix("-") not in PARTS:
            remedy = f"Use all, none, or names among {', '.join(PARTS)}."
            raise InvalidValue("capture", "must name known parts", given=item, remedy=remedy)
    if without and len(without) < len(wanted):
        rule = "either names what to capture, or with a minus what not to"
        raise InvalidValue("capture", rule, given=",".join(names), remedy="Write -git,-output or host,gpus.")
    if without or "all" in names:
        return frozenset(PARTS) - without
    return frozenset(wanted)
