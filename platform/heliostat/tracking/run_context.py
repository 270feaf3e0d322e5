"""The explicit run: made in one place, used in any thread, process or Ray worker."""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from heliostat import outcome as ends
from heliostat.errors import Conflict, HeliostatError
from heliostat.outcome import Outcome
from heliostat.ports import RunLog
from heliostat.registry import shared_log
from heliostat.tracking import children, current, given
from heliostat.tracking.capture.session import CaptureSession
from heliostat.tracking.params import RunParams
from heliostat.tracking.recording import FAILED, RunRecording
from heliostat.trial import Checkpoint, Measurement, Run, State
from heliostat.writes import FinishRun, LogCheckpoints, Reply, Write

logger = logging.getLogger("heliostat")

NOTHING_CAPTURED = CaptureSession(frozenset())


class RunContext(RunRecording):
    """A run in the user's hands; as a context manager it is the current run, and ends.

    An exception that leaves the block fails the run, is recorded with its traceback, and goes on upwards;
    Ctrl-C cancels it. A run may be pickled and used on the other side, where it writes to the same log. There
    the block does not end it, as others may be at work on it: an exception is noted as a failure, and the
    process that made the run ends it (or anybody, with :meth:`end`).

    Args:
        log: Where it is recorded: an open log, or the URL of one.
        run: The run as the log knows it.
        fixed: Parameters that its experiment assigned.
        capture: What is recorded without being asked.
        is_own: Whether this process made it.
        clock: Seconds since the epoch; a run's own times never go back when it does.

    Attributes:
        name: For people.
        project: Its project.
        experiment: Its experiment's id, if it has one.
    """

    def __init__(
        self,
        log: RunLog | str,
        run: Run,
        *,
        fixed: Collection[str] = (),
        capture: CaptureSession = NOTHING_CAPTURED,
        is_own: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = run.id
        self.name = run.name
        self.project = run.project
        self.experiment = run.experiment
        # Other processes must be able to open it, so this is the address with a password if there is one.
        self._url = log if isinstance(log, str) else log.private_url
        self._log = None if isinstance(log, str) else log
        self._process = os.getpid() if self._log is not None else 0
        if self._log is not None:
            children.use(self._log)
        self._attempt = run.attempt
        self._is_open = run.state.is_open
        self._capture = capture
        self._maker = os.getpid() if is_own else 0
        self._clock = clock
        self._latest = 0.0
        self._error: Exception | None = None
        self._ending = threading.RLock()
        self._count_from(max((point.step for point in run.curve), default=0))
        self._fixed = tuple(fixed)
        self.params = RunParams(run.assignments, fixed=self._fixed, record=self._set_parameters)

    @property
    def log(self) -> RunLog:
        """The log, opened anew in each process."""
        if self._log is None or self._process != os.getpid():
            self._log, self._process = shared_log(self._url), os.getpid()
            children.use(self._log)
            self._ending = threading.RLock()
            self._capture = NOTHING_CAPTURED
            children.flush_at_end(self._url)
        return self._log

    @property
    def url(self) -> str:
        """Where the log is, for other processes of the same user; it may hold a password."""
        return self._url

    @property
    def attempt(self) -> int:
        """Which execution of the run this is, from 1."""
        return self._attempt or 1

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended, as far as this process knows."""
        return self._is_open

    def read(self) -> Run:
        """The run as the log knows it, with its curve, after all that this process has recorded."""
        self.log.flush()
        return self.log.run(self.id)

    @property
    def state(self) -> State:
        """Where the run is in its life, by the log."""
        return self.read().state

    @property
    def values(self) -> Mapping[str, Measurement]:
        """The last value of each metric, by the log."""
        return self.read().values

    @property
    def assignments(self) -> Mapping[str, Any]:
        """The parameters, by the log."""
        return self.read().assignments

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata, by the log."""
        return self.read().metadata

    def flush(self) -> None:
        """Wait until all that this process has recorded is durable.

        Raises:
            HeliostatError: The first error of a write that nobody waited for.
        """
        self.log.flush()
        self._raise_error()

    def end(self, exception: BaseException | None = None) -> Run:
        """End the run and wait until that is durable; does nothing if it has ended.

        Args:
            exception: What ended it, if something did: the run has failed then, or was cancelled by Ctrl-C.

        Raises:
            HeliostatError: The log could not keep the end, or something that was recorded before.
        """
        return self.finish(outcome_of(exception))

    def finish(self, outcome: Outcome) -> Run:
        """End the run so; a failure that was logged outranks a completed end."""
        log = self.log
        with self._ending:
            if self._is_open:
                self._capture.finish(self)
                log.flush()
                self._settle(log, outcome)
                self._is_open = False
        self._raise_error()
        return log.run(self.id)

    def __enter__(self) -> RunContext:
        current.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._maker == os.getpid():
                self.end(error)
            else:
                self._hand_back(error)
        except HeliostatError as fault:
            # The user's own code goes on: what follows the block may be the model's only copy.
            warnings.warn(f"run {self.id} is not recorded in full: {fault}", RuntimeWarning, stacklevel=2)
        finally:
            current.leave(self)

    def __reduce__(self) -> tuple[Any, ...]:
        state = State.ACTIVE if self._is_open else State.COMPLETED
        step = self._last_step
        known = Run(
            self.id,
            self.experiment,
            self.project,
            name=self.name,
            assignments=given.facts(self.params, "params"),
            state=state,
            attempt=self.attempt,
            curve=(Checkpoint(step, {}),) if step else (),
        )
        return _arrived, (self._url, known, self._fixed)

    def __repr__(self) -> str:
        state = "open" if self._is_open else "ended"
        return f"<run {self.id} {self.name!r} ({state})>"

    def _hand_back(self, error: BaseException | None) -> None:
        """Leave the run to the process that made it."""
        if isinstance(error, Exception):
            self.log_failure(f"{type(error).__name__}: {error}")
        self.flush()

    def _write(self, write: Write) -> Future[Reply]:
        log = self.log
        with children.writing:
            future = log.submit(write)
        future.add_done_callback(self._note_error)
        return future

    def _report(self, values: Mapping[str, Any], step: int | None = None) -> None:
        measured = given.metrics(values)
        self._refuse_ended(
            "metrics of the validation role", 'Say role="production" (or another) for later values.'
        )
        if step is None:
            self._update(values=measured)
            return
        now = self._now()
        point = Checkpoint(step, {name: item.value for name, item in measured.items()}, now)
        self._last_step = step
        self._write(LogCheckpoints(self.id, (point,), attempt=self._attempt))

    def _next_step(self, step: int | None) -> int:
        if step is not None:
            self._count_from(step)
            return step
        return next(self._steps)

    def _count_from(self, step: int) -> None:
        self._last_step = step
        self._steps = itertools.count(step + 1)

    def _set_parameters(self, changes: Mapping[str, Any]) -> None:
        self._refuse_ended("parameters", "Set them before the end, or log_metadata what is known later.")
        self._update(assignments=changes)

    def _now(self) -> float:
        self._latest = max(self._latest, self._clock())
        return self._latest

    def _refuse_ended(self, what: str, remedy: str) -> None:
        if not self._is_open:
            raise Conflict(f"run {self.id} has ended and takes no further {what}", remedy=remedy)

    def _settle(self, log: RunLog, outcome: Outcome) -> None:
        """Write the end, unless another process has."""
        known = log.run(self.id)
        if FAILED in known.sys_metadata and outcome.state is State.COMPLETED:
            outcome = ends.raised({}, "reported", str(known.sys_metadata[FAILED]))
        end = FinishRun(
            self.id,
            outcome.state,
            outcome.reason,
            time=max(self._now(), known.started or 0.0),
            failure=outcome.failure,
            attempt=self._attempt,
        )
        try:
            log.apply(end)
        except Conflict as conflict:
            if log.run(self.id).state.is_open:
                raise
            logger.info("run %d had ended already: %s", self.id, conflict)

    def _note_error(self, future: Future[Reply]) -> None:
        error = future.exception()
        if isinstance(error, Exception) and self._error is None:
            self._error = error  # comes out again when somebody waits; but perhaps nobody will
            logger.warning("run %d is not recorded in full: %s", self.id, error)

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _arrived(url: str, run: Run, fixed: Collection[str]) -> RunContext:
    return RunContext(url, run, fixed=fixed)


def outcome_of(error: BaseException | None) -> Outcome:
    """How a run ends that this exception leaves."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return Outcome(State.COMPLETED, "finished")
    if isinstance(error, SystemExit):
        return ends.raised({}, "exit_code", f"exit code {error.code}")
    if not isinstance(error, Exception):
        return ends.cancelled({}, type(error).__name__)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return ends.broken({}, error, f"{type(error).__name__}: {error}", text)
