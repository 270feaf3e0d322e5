"""What a suggestion is a function of, and how a run remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from heliostat.experiment import ExperimentSpec
from heliostat.trial import History, Proposal

MARK = "history"
"""Key of a run's ``sys_metadata`` under which the question that it answers is kept."""


@dataclass(frozen=True)
class Question:
    """Everything that the next suggestions depend on.

    Args:
        spec: The declaration.
        history: The runs at that moment, and the sources.
        made: How many runs had been made, archived ones too; with the spec's seed it seeds the generator.
        ended: How many of them had ended.
        changed: Place in the log of the last change from outside (declaration, corrections, archived runs).
    """

    spec: ExperimentSpec
    history: History
    made: int
    ended: int
    changed: int

    def rng(self) -> np.random.Generator:
        """The generator for the answer, the same at each call."""
        return np.random.default_rng([self.spec.seed, self.made])

    def mark(self, place: int, count: int) -> dict[str, int]:
        """What a run keeps of the question: it was suggestion number `place` (from 0) of `count`."""
        return {
            "made": self.made,
            "ended": self.ended,
            "changed": self.changed,
            "place": place,
            "count": count,
        }


@dataclass(frozen=True)
class Label:
    """What an asker wants on the run that it gets, written in the same step as the run.

    Args:
        name: Of the run, for people.
        user: Who asked.
        metadata: Facts for people.
        sys_metadata: Facts that Heliostat itself reads.
    """

    name: str = ""
    user: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sys_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """A proposal on its way to become a run.

    Args:
        proposal: What to try.
        origin: Who proposed it.
        mark: The question that it answers, if a searcher answered one.
        suggestion: The queued suggestion that it takes up.
        label: What the asker wants on the run.
    """

    proposal: Proposal
    origin: str = "heliostat"
    mark: Mapping[str, Any] | None = None
    suggestion: int | None = None
    label: Label = Label()
