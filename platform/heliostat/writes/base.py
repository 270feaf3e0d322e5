"""Keys and replies, which all writes share."""

from __future__ import annotations

import os
from dataclasses import dataclass


def new_key() -> str:
    """A key that no other write has."""
    return os.urandom(16).hex()


@dataclass(frozen=True)
class Reply:
    """What the log answers once the write is durable.

    Args:
        seq: The write's place in the log: grows with every write, never reused.
        experiment: Its experiment, if it has one.
        run: Its run, if it has one.
        number: The run's number in its experiment, where the write made the run.
        epoch: The session's epoch, where the write opened it.
        attempt: The run's present attempt, where the write concerns a run.
        id: What else the write made: a file, a note, a tag, a suggestion, a token.
    """

    seq: int
    experiment: int | None = None
    run: int | None = None
    number: int | None = None
    epoch: int | None = None
    attempt: int | None = None
    id: int | None = None
