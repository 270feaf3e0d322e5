"""Writes about reports."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from heliostat.writes.base import new_key

REPORT_KINDS = ("report", "metrics")
"""The whole report, or the page for stakeholders."""


@dataclass(frozen=True)
class FreezeReport:
    """Keep a report of an experiment as it is now; it never changes. Reply: ``id``, the report's.

    Args:
        experiment: Whose.
        title: For people.
        content: A page of HTML, compressed by gzip; at most :data:`heliostat.writes.LARGEST_FILE` bytes.
        comment: Its author's words.
        kind: One of :data:`REPORT_KINDS`.
        user: Its author.
    """

    experiment: int
    title: str
    content: bytes = field(repr=False)
    _: KW_ONLY
    time: float
    comment: str = ""
    kind: str = "report"
    user: str = ""
    key: str = field(default_factory=new_key)
