"""Writes about experiments and their suggestions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from heliostat.space import Value
from heliostat.writes.base import new_key

SUGGESTION_STATES = ("queued", "open", "closed", "deleted")


@dataclass(frozen=True)
class CreateExperiment:
    """Record a declared experiment; its project comes into being with it. Reply: ``experiment``."""

    spec: Mapping[str, Any]
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class ChangeExperiment:
    """Replace a declaration (a raised budget, a moved threshold), or archive it. Reply: ``experiment``."""

    experiment: int
    spec: Mapping[str, Any] | None = None
    _: KW_ONLY
    time: float
    archived: bool | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class OpenSession:
    """Take over the steering of an experiment. Reply: ``epoch``, one above every earlier one."""

    experiment: int
    owner: str
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class CreateSuggestion:
    """Keep assignments to try: handed out already (``open``), or waiting in the queue. Reply: ``id``."""

    experiment: int
    assignments: Mapping[str, Value]
    _: KW_ONLY
    time: float
    state: str = "open"
    task: str | None = None
    origin: str = "heliostat"
    why: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class ChangeSuggestion:
    """Move a suggestion on: ``queued`` → ``open`` → ``closed``, or ``deleted`` from any of them.

    Args:
        suggestion: Its identity.
        state: The new state.
        run: The run that came of it.
    """

    suggestion: int
    state: str
    _: KW_ONLY
    time: float
    run: int | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)
