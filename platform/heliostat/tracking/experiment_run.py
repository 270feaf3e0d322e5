"""A run of an experiment, in the hands of the code that executes it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from heliostat import outcome as ends
from heliostat.engine import Engine
from heliostat.space import Value
from heliostat.tracking import current, given
from heliostat.tracking.params import RunParams
from heliostat.tracking.recording import RunRecording
from heliostat.trial import Run, State
from heliostat.writes import Reply, Write

logger = logging.getLogger("heliostat")


class RunHandle(RunRecording):
    """An open run of an experiment in the user's hands; as a context manager it ends the run.

    ``with run:`` makes it the current run and swallows the exceptions of user code (they are recorded as
    failures, with traceback) unless the loop was asked to stop on errors; Ctrl-C ends the run as cancelled
    and goes on upwards. What the experiment assigned stays; further parameters may be set.

    Attributes:
        number: Its place in the experiment, from 1.
        task: What it is to run on, with ``name`` and ``cost``; ``None`` in an experiment without tasks.
        why: The searcher's reason.
        results: What it has reported without a step, as it came: results, not points of a curve.
    """

    def __init__(self, engine: Engine, run: Run, *, stop_on_error: bool = False) -> None:
        self._engine = engine
        self._stop_on_error = stop_on_error
        self._step = 0
        self._epoch, self._attempt = engine.epoch, run.attempt
        self.id = run.id
        self.number = run.number
        self.params = RunParams(run.assignments, fixed=run.assignments, record=self._set_parameters)
        self.task = engine.spec.task(run.task)
        self.why = run.why
        self.results: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Value:
        value: Value = self.params[name]
        return value

    @property
    def state(self) -> State:
        """Where the run is in its life."""
        return self._engine.state(self.id)

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.state.is_open

    def flush(self) -> None:
        """Wait until all that was recorded is durable; raises the first error of the log."""
        self._engine.flush()

    def log_metadata(self, key: str, value: Any) -> None:
        """Record a fact for people: numbers as they are, all else as text; ``None`` removes it."""
        self._engine.update(self.id, metadata=given.facts({key: value}, "metadata"))

    def log_failure(self, message: str = "reported by the user") -> None:
        """End the run as failed: the searcher learns to avoid the region."""
        reported = self._engine.reported(self.id)
        self._engine.finish(self.id, ends.raised(reported, "user_error", message), wait=True)

    def end(self) -> Run:
        """End the run by what it has reported; does nothing if it has ended."""
        if not self.state.is_open:
            return self._engine.get(self.id)
        judged = ends.judge(self._engine.spec.metrics, self._engine.reported(self.id))
        return self._engine.finish(self.id, judged, wait=True)

    def __enter__(self) -> RunHandle:
        current.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        current.leave(self)
        if error is None:
            self.end()
            return False
        reported = self._engine.reported(self.id)
        if not isinstance(error, Exception):
            self._engine.finish(self.id, ends.cancelled(reported, f"{type(error).__name__}"), wait=True)
            return False
        text = "".join(traceback.format_exception(kind, error, trace))
        message = f"{type(error).__name__}: {error}"
        if self.state.is_open:
            self._engine.finish(self.id, ends.broken(reported, error, message, text), wait=True)
        logger.warning("run %d failed: %s", self.number, message)
        return not self._stop_on_error

    def __repr__(self) -> str:
        return f"<run {self.number} ({self.state}): {dict(self.params)}>"

    def _write(self, write: Write) -> Future[Reply]:
        return self._engine.sending.send(write)

    def _report(self, values: Mapping[str, Any], step: int | None = None) -> None:
        self._engine.observe(self.id, values, step=step)
        if step is None:
            self.results.update(values)

    def _next_step(self, step: int | None) -> int:
        self._step = self._step + 1 if step is None else step
        return self._step

    def _set_parameters(self, changes: Mapping[str, Any]) -> None:
        self._update(assignments=changes)
