"""Writes of what hangs on a run: texts, files, values in other roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

from heliostat.trial import Measurement
from heliostat.writes.base import new_key

LARGEST_FILE = 64 * 2**20
"""Bytes of one file. Larger ones belong beside the log: keep their address in the metadata."""


@dataclass(frozen=True)
class LogText:
    """Append to one of the run's texts (``stdout``, ``stderr``, ``source``, …), or replace it.

    Args:
        run: The run.
        stream: Name of the text.
        text: Any length, any characters.
        replace: Whether what was there goes.
    """

    run: int
    stream: str
    text: str
    _: KW_ONLY
    time: float
    replace: bool = False
    attempt: int | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class LogLateValues:
    """Metric values in another role than validation, such as ``production``, at any time of a run's life.

    They are kept with their time and never mixed with the run's ``values``. The same role, metric and
    ``at`` again replaces.

    Args:
        run: The run.
        role: What the values tell of: ``production``, ``training``, … (not ``validation``).
        values: By metric.
        at: When they held, seconds since the epoch.
    """

    run: int
    role: str
    values: Mapping[str, Measurement]
    _: KW_ONLY
    at: float
    time: float
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class AddFile:
    """Keep a file with a run: an image, an artifact. Reply: ``id``, the file's.

    Args:
        run: The run.
        name: For people.
        content: At most :data:`LARGEST_FILE` bytes.
        content_type: MIME type.
        filename: Name to save it under.
    """

    run: int
    name: str
    content: bytes = field(repr=False)
    _: KW_ONLY
    time: float
    content_type: str = "application/octet-stream"
    filename: str | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)
