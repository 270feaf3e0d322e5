"""A card: one figure with what a reader must know, or the reason why there is none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from heliostat.errors import InvalidValue
from heliostat.figures.embedding import embedded_json


@dataclass(frozen=True)
class Card:
    """One analysis on the page.

    Args:
        key: Stable name of the card, unique on a page.
        title: What it shows.
        claim: The finding or the selection in a few words, beside the title.
        how_to_read: One sentence.
        kind: ``plotly``, ``importance`` (a table) or ``parallel`` (lines across axes).
        figure: JSON-ready value of that kind, or ``None``.
        absent: Why there is no figure and what would make it appear; empty if there is one.
        notes: Facts about what is drawn or left out.
    """

    key: str
    title: str
    _: KW_ONLY
    claim: str = ""
    how_to_read: str = ""
    kind: str = "plotly"
    figure: Mapping[str, Any] | None = None
    absent: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def json(self) -> str:
        """The figure as JSON that may stand inside a ``<script>`` element."""
        return embedded_json(self.figure)

    @cached_property
    def version(self) -> str:
        """A digest of all that is shown."""
        facts = (self.key, self.title, self.claim, self.how_to_read, self.json, self.absent, self.notes)
        return hashlib.sha256(repr(facts).encode("utf-8", "replace")).hexdigest()[:12]

    def __post_init__(self) -> None:
        if (self.figure is None) != bool(self.absent):
            rule = "a card has either a figure or the reason for its absence"
            raise InvalidValue("Card", rule, given=self.key, remedy="Give exactly one.")
