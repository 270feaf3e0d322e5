"""The writes that a run log accepts, as frozen values: they can be queued, batched, sent and repeated.

Every write has a key made by the client. The log applies a key once; the same write again gets the first
reply, another write under the same key is a :class:`~heliostat.errors.Conflict`. Times are seconds since the
epoch by the client's clock; order is the log's business (:attr:`Reply.seq`).

A write that carries an ``epoch`` is refused with :class:`~heliostat.errors.StaleSession` once a newer session
has been opened on the experiment, so that a driver which was thought dead cannot write behind its
successor's back.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from heliostat.space import Value
from heliostat.trial import Checkpoint, Failure, Measurement, Prediction, State


def new_key() -> str:
    """A key that no other write has."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class CreateExperiment:
    """Record a declared experiment; its project comes into being with it. Reply: ``experiment``."""

    spec: Mapping[str, Any]
    _: KW_ONLY
    time: float
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class ChangeExperiment:
    """Replace a declaration (a raised budget, a moved threshold). Reply: ``experiment``."""

    experiment: int
    spec: Mapping[str, Any]
    _: KW_ONLY
    time: float
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
class CreateRun:
    """Record a run before it is handed out. Reply: ``run`` and ``number`` (1, 2, … in its experiment)."""

    experiment: int | None
    assignments: Mapping[str, Value]
    _: KW_ONLY
    time: float
    project: str = "default"
    name: str = ""
    task: str | None = None
    origin: str = "heliostat"
    searcher: str = ""
    why: str = ""
    predicted: Mapping[str, Prediction] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class StartRun:
    """The run's code has begun. Reply: ``attempt``."""

    run: int
    _: KW_ONLY
    time: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class RetryRun:
    """An attempt was lost; the same run begins anew, with an empty curve. Reply: ``attempt``, one higher.

    Legal for runs that are active or lost.
    """

    run: int
    reason: str
    _: KW_ONLY
    time: float
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class LogCheckpoints:
    """Points of the training curve of the present attempt.

    The same metric at the same step again replaces its value; other metrics of that step stay.
    """

    run: int
    checkpoints: tuple[Checkpoint, ...]
    _: KW_ONLY
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class UpdateRun:
    """Merge values and metadata into a run, also after its end. ``None`` removes a metadata key."""

    run: int
    _: KW_ONLY
    time: float
    values: Mapping[str, Measurement] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class FinishRun:
    """End a run: merge its last values and say why it ended.

    Legal for runs that are active or lost; any other is a Conflict (each run ends once).
    """

    run: int
    state: State
    reason: str
    _: KW_ONLY
    time: float
    values: Mapping[str, Measurement] = field(default_factory=dict)
    failure: Failure | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None
    key: str = field(default_factory=new_key)


Write = (
    CreateExperiment
    | ChangeExperiment
    | OpenSession
    | CreateRun
    | StartRun
    | RetryRun
    | LogCheckpoints
    | UpdateRun
    | FinishRun
)


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
    """

    seq: int
    experiment: int | None = None
    run: int | None = None
    number: int | None = None
    epoch: int | None = None
    attempt: int | None = None
