"""Writes about runs: their life from creation to the one end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from heliostat.space import Value
from heliostat.trial import Checkpoint, Failure, Measurement, Prediction, State
from heliostat.writes.base import new_key


@dataclass(frozen=True)
class CreateRun:
    """Record a run before it is handed out. Reply: ``run`` and ``number`` (1, 2, … in its experiment).

    With a `suggestion`, the run takes it out of the queue in the same step, so that of all who try it exactly
    one gets it: a suggestion that is not ``queued`` any more is a Conflict, and no run is made.

    With `after`, the run is made only as the next one after the run of that number (0: as the first), so that
    of several processes that propose for one experiment none goes past the budget or misses an open run; if
    another run was made meanwhile, it is a Conflict.
    """

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
    user: str = ""
    suggestion: int | None = None
    sys_metadata: Mapping[str, Any] = field(default_factory=dict)
    after: int | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class StartRun:
    """The run's code has begun. Reply: ``attempt``."""

    run: int
    _: KW_ONLY
    time: float
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attempt: int | None = None
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

    The same metric at the same step again replaces its value; other metrics of that step stay. Reply: `id`,
    the last step.

    Args:
        run: The run.
        checkpoints: The points.
        follows: Whether their steps count on from the curve's last one, so that step 1 is the next: for
            reporters who do not count themselves.
    """

    run: int
    checkpoints: tuple[Checkpoint, ...]
    _: KW_ONLY
    follows: bool = False
    attempt: int | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class UpdateRun:
    """Lay facts over a run's, also after its end; what is not given stays.

    Mappings are merged; ``None`` as a value removes the key. Texts and flags replace.

    Args:
        run: The run.
        time: When.
        values: Metric values of the validation role.
        assignments: Parameters; for runs of an experiment those it was given must stay.
        parameter_sources: Parameter → group.
        sources: Group → how to show it.
        metadata: Facts.
        dev_metadata: Facts that tables hide.
        sys_metadata: Facts that Heliostat itself reads.
        datasets: Name → facts.
        tags: Name → whether it is on.
        name: For people.
        model: Type of the model.
        source_hash: Version of the code.
        note: Markdown.
        favorite: Starred.
        archived: Hidden.
    """

    run: int
    _: KW_ONLY
    time: float
    values: Mapping[str, Measurement | None] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    assignments: Mapping[str, Value | None] = field(default_factory=dict)
    parameter_sources: Mapping[str, str | None] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    dev_metadata: Mapping[str, Any] = field(default_factory=dict)
    sys_metadata: Mapping[str, Any] = field(default_factory=dict)
    datasets: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    tags: Mapping[str, bool] = field(default_factory=dict)
    model: str | None = None
    source_hash: str | None = None
    note: str | None = None
    favorite: bool | None = None
    archived: bool | None = None
    attempt: int | None = None
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
    attempt: int | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True)
class CorrectRun:
    """Set right what is known of a run that has ended; only this may change its state again.

    Legal for runs that have ended; an active one is a Conflict (it is reported, not corrected).

    Args:
        run: The run.
        state: What its end should have been.
        reason: Why, for people.
        time: When.
        values: Laid over its values.
        failure: Its failure, ``None`` if it has none.
    """

    run: int
    state: State
    reason: str
    _: KW_ONLY
    time: float
    values: Mapping[str, Measurement] = field(default_factory=dict)
    failure: Failure | None = None
    epoch: int | None = None
    key: str = field(default_factory=new_key)
