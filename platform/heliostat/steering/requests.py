"""What doors ask of an experiment's steward, and what it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from heliostat.engine import Label, Pulse
from heliostat.space import Value
from heliostat.trial import Run
from heliostat.writes import new_key

KEY, CONTENT, LEASE = "ask", "ask_content", "lease"
"""Where a run's ``sys_metadata`` keep key and content of the asking that it answers, and its lease."""


@dataclass(frozen=True)
class Ask:
    """Runs to execute, please.

    Args:
        count: How many.
        assignments: The asker's own point instead of a searcher's.
        task: Of the own point.
        name: Of the runs, for people.
        user: Who asks.
        metadata: Facts for people.
        lease: Seconds without a sign of life after which a run is handed to somebody else; ``None``: never.
        beyond_budget: Whether to go on when the budget is used up.
        key: The asking's own; whoever asks with it again gets the same runs.
    """

    count: int = 1
    _: KW_ONLY
    assignments: Mapping[str, Value] | None = None
    task: str | None = None
    name: str = ""
    user: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lease: float | None = None
    beyond_budget: bool = False
    key: str = field(default_factory=new_key)

    @property
    def content(self) -> str:
        """A fingerprint of what is asked for: a key belongs to one."""
        facts = (self.count, self.assignments and dict(self.assignments), self.task, self.lease)
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def label(self) -> Label:
        """What the runs carry, so that every later steward knows what they answer."""
        facts: dict[str, Any] = {KEY: self.key, CONTENT: self.content}
        if self.lease is not None:
            facts[LEASE] = self.lease
        return Label(self.name, self.user, self.metadata, facts)


@dataclass(frozen=True)
class Answer:
    """What became of an :class:`Ask`.

    Args:
        runs: As many as were asked for, or fewer at the end of budget or space.
        is_over: Whether budget or space are used up, so that asking again is of no use now.
        reason: Why there are fewer.
        seconds: What the asking took inside, waiting for the searcher included.
    """

    runs: tuple[Run, ...]
    is_over: bool = False
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Status:
    """A steward's state, for operators.

    Args:
        experiment: Whose.
        epoch: Of its session.
        waiting: Askings that wait for an answer.
        answered: Askings answered so far.
        pulse: How its engine stands.
    """

    experiment: int
    epoch: int
    waiting: int
    answered: int
    pulse: Pulse
