"""Machines that are about to be taken back."""

from __future__ import annotations

import time

EVERY = 1.0
"""Seconds between looks: a notice precedes the end by 30 seconds or more."""


class Drains:
    """Remembers which nodes Ray was told to drain, by an autoscaler or a cloud's notice.

    Ray calls a death a preemption only if it came at the announced time; one that came earlier is one too.
    """

    def __init__(self) -> None:
        self._nodes: set[str] = set()
        self._next = 0.0

    def look(self) -> None:
        """Ask the cluster, if the last time was long enough ago."""
        if time.monotonic() < self._next:
            return
        from ray._private.state import state

        self._next = time.monotonic() + EVERY
        self._nodes |= set(state.get_draining_nodes())

    def took(self, actor: str | None) -> bool:
        """Whether an actor, by its id, was on such a node."""
        if actor is None:
            return False
        from ray._private.state import state

        self._next = 0.0
        self.look()
        return state.actor_table(actor).get("Address", {}).get("NodeID") in self._nodes
