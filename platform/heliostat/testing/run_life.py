"""The life of a run as a state machine: any order of writes against a model in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from heliostat.errors import Conflict
from heliostat.ports import RunLog
from heliostat.trial import Checkpoint, Failure, Measurement, State
from heliostat.writes import CreateRun, FinishRun, LogCheckpoints, Reply, RetryRun, StartRun, UpdateRun, Write

_ENDS = st.sampled_from([state for state in State if not state.is_open])
_METRICS = st.sampled_from(["loss", "accuracy", "naïve 🦉"])
_NUMBERS = st.floats(allow_nan=False)  # NaN differs from itself; the contract looks at it on its own
_VALUES = st.dictionaries(_METRICS, st.builds(Measurement, _NUMBERS, st.none() | _NUMBERS), max_size=2)
_METADATA = st.dictionaries(
    st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=5), max_size=2
)
_POINTS = st.lists(
    st.builds(Checkpoint, st.integers(0, 4), st.dictionaries(_METRICS, _NUMBERS, min_size=1, max_size=2)),
    max_size=3,
)
_FAILURES = st.none() | st.builds(Failure, st.just("user_error"), st.text(max_size=9))


@dataclass
class _Model:
    """What the run must look like."""

    state: State = State.ACTIVE
    attempt: int = 1
    started: float | None = None
    ended: float | None = None
    end_reason: str = ""
    failure: Failure | None = None
    values: dict[str, Measurement] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    curve: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def may_move(self) -> bool:
        return self.state in (State.ACTIVE, State.LOST)

    def merge(self, values: dict[str, Measurement], metadata: dict[str, Any]) -> None:
        self.values.update(values)
        merged = {**self.metadata, **metadata}
        self.metadata = {key: value for key, value in merged.items() if value is not None}


class _RunLife(RuleBasedStateMachine):
    """One run; its log outlives the machine."""

    log: RunLog

    @initialize()
    def create(self) -> None:
        """The run."""
        reply = self.log.apply(CreateRun(None, {"x": 1.0}, time=0.0))
        assert reply.run is not None
        self.run, self.model, self.clock = reply.run, _Model(), 0.0
        self.last: tuple[Write, Reply | None] | None = None
        self.seq = reply.seq

    @rule(metadata=_METADATA)
    def start(self, metadata: dict[str, Any]) -> None:
        """The code begins."""
        self._send(StartRun(self.run, time=self._tick(), metadata=metadata), is_legal=True)
        self.model.started = self.clock
        self.model.merge({}, metadata)

    @rule(values=_VALUES, metadata=_METADATA)
    def update(self, values: dict[str, Measurement], metadata: dict[str, Any]) -> None:
        """Facts arrive, whatever the state."""
        write = UpdateRun(self.run, time=self._tick(), values=values, metadata=metadata)
        self._send(write, is_legal=True)
        self.model.merge(values, metadata)

    @rule(points=_POINTS)
    def log_checkpoints(self, points: list[Checkpoint]) -> None:
        """Points arrive, whatever the state."""
        self._send(LogCheckpoints(self.run, tuple(points)), is_legal=True)
        for point in points:
            self.model.curve.setdefault(point.step, {}).update(point.values)

    @rule(state=_ENDS, values=_VALUES, failure=_FAILURES)
    def finish(self, state: State, values: dict[str, Measurement], failure: Failure | None) -> None:
        """The run ends, if it has not."""
        is_legal, reason = self.model.may_move, f"as {state}"
        write = FinishRun(self.run, state, reason, time=self._tick(), values=values, failure=failure)
        self._send(write, is_legal=is_legal)
        if is_legal:
            self.model.state, self.model.ended, self.model.end_reason = state, self.clock, reason
            self.model.failure = failure
            self.model.merge(values, {})

    @rule()
    def retry(self) -> None:
        """The run begins anew, if it did not end for good."""
        is_legal = self.model.may_move
        self._send(RetryRun(self.run, "lost", time=self._tick()), is_legal=is_legal)
        if is_legal:
            self.model = _Model(attempt=self.model.attempt + 1, metadata=self.model.metadata)

    @rule()
    def repeat(self) -> None:
        """The client did not hear the answer and sends the last write again."""
        if self.last is None:
            return
        write, reply = self.last
        if reply is not None:
            assert self.log.apply(write) == reply
        elif not self.model.may_move:
            with pytest.raises(Conflict):
                self.log.apply(write)

    @invariant()
    def agrees(self) -> None:
        """The log shows the model."""
        if not hasattr(self, "model"):
            return
        found, model = self.log.run(self.run), self.model
        for name in ("state", "attempt", "started", "ended", "end_reason", "failure"):
            assert getattr(found, name) == getattr(model, name), name
        assert (dict(found.values), dict(found.metadata)) == (model.values, model.metadata)
        assert {point.step: dict(point.values) for point in found.curve} == model.curve
        assert [point.step for point in found.curve] == sorted(model.curve)

    def _tick(self) -> float:
        self.clock += 1.0
        return self.clock

    def _send(self, write: Write, *, is_legal: bool) -> None:
        if not is_legal:
            with pytest.raises(Conflict):
                self.log.apply(write)
            self.last = (write, None)
            return
        reply = self.log.apply(write)
        assert reply.seq > self.seq
        self.seq, self.last = reply.seq, (write, reply)


def check_run_life(log: RunLog, *, examples: int = 25) -> None:
    """Play `examples` lives of up to 20 writes each; the same ones every time."""
    life = type("RunLife", (_RunLife,), {"log": log})
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
