"""Times as reports print them."""

from __future__ import annotations

from datetime import datetime, timezone


def day_of(seconds: float) -> str:
    """ISO 8601 to the minute, UTC, of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
