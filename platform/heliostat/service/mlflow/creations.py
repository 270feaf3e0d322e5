"""Making a run once, although MLflow's clients repeat POSTs and send no key.

A repeat is byte for byte the same: experiment, user, name, tags and the millisecond of the start. So the
write's key is made of the body. But two workers that start in the same millisecond may say the same too,
and must not share a run. Two things tell them apart from a repeat:

- While one call is being answered, the same body again is another worker: nobody repeats what he still
  waits for.
- A run that somebody has written to was received. The same body later is another one.

What remains is a repeat within moments of a crash that another process of the service answers: it may be
taken for another worker, and leave a run behind that never ends. The other mistake, two workers in one run,
would spoil data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from heliostat.trial import Run

YOUNG = 0.5
"""Seconds for which a run that another process made is held to be another worker's."""

MOST = 50
"""Runs that may say the same."""


class Creations:
    """Which creations this process is answering, and has answered."""

    def __init__(self, kept: int = 10_000) -> None:
        self._open: Counter[tuple[str, int]] = Counter()
        self._made: dict[tuple[str, int], None] = {}
        self._kept = kept

    def is_open(self, body: str, count: int) -> bool:
        """Whether the `count`-th run of this body is being made for somebody just now."""
        return self._open[body, count] > 0

    def was_made_here(self, body: str, count: int) -> bool:
        """Whether this process has answered with the `count`-th run of this body."""
        return (body, count) in self._made

    @contextmanager
    def making(self, body: str, count: int) -> Iterator[None]:
        """While a run is made and its reply is on its way."""
        self._open[body, count] += 1
        try:
            yield
        finally:
            self._open[body, count] -= 1
            if not self._open[body, count]:
                del self._open[body, count]

    def made(self, body: str, count: int) -> None:
        """The reply about a run has left."""
        self._made[body, count] = None
        if len(self._made) > self._kept:
            self._made.pop(next(iter(self._made)))


def fingerprint(*parts: object) -> str:
    """A text that only the same body from the same caller has."""
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def is_untouched(run: Run) -> bool:
    """Whether nobody has written to the run since it was made."""
    return run.updated == run.created and run.state.is_open and not run.archived
