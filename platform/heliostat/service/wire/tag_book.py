"""Declared tags by name and by identity, as this process last read them."""

from __future__ import annotations

import time

from heliostat.ports import Tag
from heliostat.service.backend import Backend

_FRESH = 2.0


class TagBook:
    """Runs carry tags by name, the wire shows them by identity.

    Args:
        backend: Whose log is asked.
    """

    def __init__(self, backend: Backend) -> None:
        self._log = backend.log
        self._read = -float("inf")
        self._tags: list[Tag] = []

    def forget(self) -> None:
        """Ask the log at the next call."""
        self._read = -float("inf")

    def tags(self) -> list[Tag]:
        """All declared tags; may wait for the log."""
        if time.monotonic() - self._read > _FRESH:
            self._tags = self._log.tags()
            self._read = time.monotonic()
        return self._tags

    def ids(self) -> dict[str, int]:
        """Identities by name; may wait for the log."""
        return {tag.name: tag.id for tag in self.tags()}
