"""A run in a worker's hands."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from heliostat.client import calls
from heliostat.client.objects import Heard
from heliostat.client.transport import AsyncLine, Line
from heliostat.space import Value
from heliostat.trial import Run, State


class _Held:
    """What both kinds of handles know of a run."""

    def __init__(self, experiment: int, run: Run) -> None:
        self.id, self.number, self.attempt = run.id, run.number, run.attempt
        self.params: Mapping[str, Value] = dict(run.assignments)
        self.task, self.why = run.task, run.why
        self._experiment = experiment
        self._values: dict[str, Any] = {}
        self._failed, self._reason = False, ""
        self.ended: Run | None = None

    def __getitem__(self, name: str) -> Value:
        return self.params[name]

    @property
    def state(self) -> State:
        """Where the run is in its life, as far as this process knows."""
        return State.ACTIVE if self.ended is None else self.ended.state

    def log_metric(self, name: str, value: float, stddev: float | None = None) -> None:
        """Keep a metric's value; it is sent with the run's end, in one call."""
        self._values[name] = value if stddev is None else (value, stddev)

    def log_metrics(self, values: Mapping[str, Any]) -> None:
        """Keep several."""
        self._values.update(values)

    def log_failure(self, reason: str = "") -> None:
        """The run is to end as failed."""
        self._failed, self._reason = True, reason

    def _end(self, stopped: str = "") -> calls.Call[Run]:
        return calls.tell(
            self._experiment,
            self.id,
            {} if self._failed else self._values,
            failed=self._failed,
            reason=self._reason,
            stopped=stopped,
            attempt=self.attempt,
        )

    def _report(self, values: Mapping[str, Any], step: int | None) -> calls.Call[Heard]:
        self._values.update(values)
        return calls.report(self._experiment, self.id, values, step, self.attempt)

    def _raised(self, error: BaseException) -> None:
        self.log_failure("".join(traceback.format_exception_only(error)).strip()[:900])


class RemoteRun(_Held):
    """A run to execute; as a context manager it ends the run.

    An exception of the code within ends it as failed and goes no further; Ctrl-C gives it back and goes on
    upwards.
    """

    def __init__(self, line: Line, experiment: int, run: Run) -> None:
        super().__init__(experiment, run)
        self._line = line

    def log_checkpoint(self, values: Mapping[str, Any], step: int | None = None) -> Heard:
        """A point of the training curve; tells whether to stop. It also keeps the run's lease alive."""
        return self._line.do(self._report(values, step))

    def heartbeat(self) -> Heard:
        """A sign of life."""
        return self.log_checkpoint({})

    def log_metadata(self, key: str, value: Any) -> None:
        """A fact for people."""
        self._line.do(calls.merge(self.id, metadata={key: value}))

    def end(self) -> Run:
        """End the run with what was logged; the same again changes nothing."""
        if self.ended is None:
            self.ended = self._line.do(self._end())
        return self.ended

    def stop(self, heard: Heard) -> Run:
        """End the run early, for the reasons that a report heard; what it has shown counts."""
        if self.ended is None:
            self.ended = self._line.do(self._end("; ".join(map(str, heard.reasons.values())) or "stopped"))
        return self.ended

    def give_back(self) -> None:
        """Cancel the run: it uses no budget."""
        self._line.do(calls.give_back(self._experiment, self.id))

    def __enter__(self) -> RemoteRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            self.give_back()
            return False
        if error is not None:
            self._raised(error)
        self.end()
        return True


class AsyncRemoteRun(_Held):
    """The same for event loops; see :class:`RemoteRun`."""

    def __init__(self, line: AsyncLine, experiment: int, run: Run) -> None:
        super().__init__(experiment, run)
        self._line = line

    async def log_checkpoint(self, values: Mapping[str, Any], step: int | None = None) -> Heard:
        """As :meth:`RemoteRun.log_checkpoint`."""
        return await self._line.do(self._report(values, step))

    async def heartbeat(self) -> Heard:
        """A sign of life."""
        return await self.log_checkpoint({})

    async def log_metadata(self, key: str, value: Any) -> None:
        """A fact for people."""
        await self._line.do(calls.merge(self.id, metadata={key: value}))

    async def end(self) -> Run:
        """As :meth:`RemoteRun.end`."""
        if self.ended is None:
            self.ended = await self._line.do(self._end())
        return self.ended

    async def stop(self, heard: Heard) -> Run:
        """As :meth:`RemoteRun.stop`."""
        if self.ended is None:
            why = "; ".join(map(str, heard.reasons.values())) or "stopped"
            self.ended = await self._line.do(self._end(why))
        return self.ended

    async def give_back(self) -> None:
        """Cancel the run: it uses no budget."""
        await self._line.do(calls.give_back(self._experiment, self.id))

    async def __aenter__(self) -> AsyncRemoteRun:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            await self.give_back()
            return False
        if error is not None:
            self._raised(error)
        await self.end()
        return True
