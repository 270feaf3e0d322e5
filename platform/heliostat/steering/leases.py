"""Suggestions whose worker vanished: handed to somebody else when their lease is over.

A lease is off unless whoever asked named one. An HTTP client may be silent for the days that its training
takes, so a default would sooner or later hand one suggestion to two workers; a client that reports curves or
heartbeats knows what silence means and says so.
"""

from __future__ import annotations

from heliostat.engine import ATTEMPTS, Engine
from heliostat.outcome import lost
from heliostat.steering.requests import CONTENT, KEY, LEASE, Ask
from heliostat.trial import Run


class Leases:
    """The open runs of an engine that may be reclaimed; for one thread at a time.

    Args:
        engine: Whose runs they are.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._until: dict[int, float] = {}

    def note(self, run: Run) -> None:
        """A run is new or has changed."""
        lease = run.sys_metadata.get(LEASE)
        if not run.state.is_open or run.archived or not isinstance(lease, (int, float)):
            self._until.pop(run.id, None)
        else:
            self._until.setdefault(run.id, _alive(run) + lease)

    def reclaimed(self, ask: Ask) -> Run | None:
        """A run whose worker gave no sign of life in time, as a new attempt for this asker; ``None``: none.

        A run that has been lost :data:`~heliostat.engine.ATTEMPTS` times ends as lost.
        """
        now = self._engine.clock()
        for id in [id for id, until in self._until.items() if until <= now]:
            run = self._engine.log.run(id)
            until = _alive(run) + float(run.sys_metadata[LEASE])
            if run.state.is_open and until > now:
                self._until[id] = until
                continue
            del self._until[id]
            if run.state.is_open:
                found = self._hand_over(run, ask)
                if found is not None:
                    return found
        return None

    def _hand_over(self, run: Run, ask: Ask) -> Run | None:
        reason = f"its lease of {run.sys_metadata[LEASE]:g} s ran out without a sign of life"
        if not self._engine.lose(run.id, reason):
            self._engine.finish(run.id, lost({}, f"{reason}, {ATTEMPTS} times"), wait=True)
            return None
        anew = self._engine.next_waiting()
        if anew is None:
            return None
        self._engine.update(anew.id, sys_metadata={KEY: ask.key, CONTENT: ask.content, LEASE: ask.lease})
        self._engine.flush()  # the new attempt is durable, or the asker gets the error
        return self._engine.get(anew.id)


def _alive(run: Run) -> float:
    """When the run was last heard of."""
    return max(run.created, run.updated, run.started or 0.0, *(point.time for point in run.curve[-1:]))
