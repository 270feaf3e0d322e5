"""The same for event loops: every method of :mod:`heliostat.client.remote` that talks is awaited."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from heliostat.client import calls
from heliostat.client.objects import RemoteEvent
from heliostat.client.remote import WAIT
from heliostat.client.run import AsyncRemoteRun
from heliostat.client.transport import PATIENCE, AsyncLine
from heliostat.errors import Conflict, InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run


class AsyncRemote:
    """A service; see :class:`heliostat.client.remote.Remote`."""

    def __init__(self, url: str, token: str, patience: float = PATIENCE) -> None:
        self.url = url.rstrip("/")
        self._line = AsyncLine(url, token, patience)
        self._client: str | None = None

    async def client(self) -> str:
        """The team that the token belongs to."""
        if self._client is None:
            self._client = await self._line.do(calls.own_token())
        return self._client

    async def create_experiment(
        self, name: str, *, parameters: Iterable[Any], metrics: Iterable[Any], **fields: Any
    ) -> AsyncRemoteExperiment:
        """Create an experiment; its project comes with it."""
        spec, client = calls.declared(name, parameters, metrics, fields), await self.client()
        with contextlib.suppress(Conflict):  # it is there
            await self._line.do(calls.settle_project(client, spec.project))
        return AsyncRemoteExperiment(self, await self._line.do(calls.create_experiment(client, spec)))

    async def experiment(self, id: int) -> AsyncRemoteExperiment:
        """An experiment that is there already."""
        await self._line.do(calls.remaining(int(id)))
        return AsyncRemoteExperiment(self, int(id))

    async def events(
        self, after: int = 0, *, follow: bool = False, experiment: int | None = None
    ) -> AsyncIterator[RemoteEvent]:
        """The log's events behind a place; with `follow` without end, as they come."""
        while True:
            found, after = await self._line.do(calls.events(after, WAIT if follow else 0, experiment))
            for event in found:
                yield event
            if not found and not follow:
                return

    async def close(self) -> None:
        """End the connection."""
        await self._line.close()

    async def __aenter__(self) -> AsyncRemote:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncRemoteExperiment:
    """An experiment on a service; see :class:`heliostat.client.remote.RemoteExperiment`."""

    def __init__(self, remote: AsyncRemote, id: int) -> None:
        self.remote, self.id = remote, id
        self._line = remote._line

    async def spec(self) -> ExperimentSpec:
        """The declaration, as it is now."""
        return await self._line.do(calls.spec_of(self.id))

    async def loop(
        self, budget: int | None = None, *, name: str | None = None, lease: float | None = None
    ) -> AsyncIterator[AsyncRemoteRun]:
        """Runs to execute, one after the other, until budget or space are used up.

        A run that is still open when the loop is left keeps its part of the budget until its lease is over:
        event loops do not say at once that nobody comes back.
        """
        done = 0
        while budget is None or done < budget:
            asked = await self._line.do(calls.ask(self.id, lease=lease, name=name))
            if not asked.runs:
                return
            run = AsyncRemoteRun(self._line, self.id, asked.runs[0])
            yield run
            await run.end()
            done += 1

    async def ask(self, *, lease: float | None = None, name: str | None = None) -> AsyncRemoteRun:
        """One run.

        Raises:
            InvalidValue: Budget or space are used up.
        """
        asked = await self._line.do(calls.ask(self.id, lease=lease, name=name))
        if not asked.runs:
            raise InvalidValue("ask", asked.reason, remedy="Raise the budget.")
        return AsyncRemoteRun(self._line, self.id, asked.runs[0])

    async def tell(
        self, run: AsyncRemoteRun, values: Mapping[str, Any] | None = None, *, failed: bool = False
    ) -> Run:
        """Report and end a run."""
        run.log_metrics(values or {})
        if failed:
            run.log_failure()
        return await run.end()

    async def add(
        self, assignments: Mapping[str, Any], values: Mapping[str, Any], *, task: str | None = None
    ) -> Run:
        """Record a run that was made elsewhere."""
        return await self._line.do(calls.add(self.id, assignments, values, task))

    async def queue(self, assignments: Mapping[str, Any], *, task: str | None = None) -> int:
        """Have a point tried before the searcher is asked again; its id in the queue."""
        return await self._line.do(calls.queue(self.id, assignments, task))

    async def queued(self) -> list[dict[str, Any]]:
        """The points that wait in the queue, next one first."""
        return await self._line.do(calls.queued(self.id))

    async def unqueue(self, id: int) -> None:
        """Take a point out of the queue."""
        await self._line.do(calls.unqueue(self.id, id))

    async def update(self, **changes: Any) -> ExperimentSpec:
        """Change the declaration, also while it runs."""
        return await self._line.do(calls.update(self.id, changes))

    async def update_run(
        self, run: Run | int, values: Mapping[str, Any] | None = None, *, failed: bool | None = None
    ) -> Run:
        """Set right what is known of a run that has ended."""
        id = run.id if isinstance(run, Run) else int(run)
        await self._line.do(calls.update_run(self.id, id, values, failed))
        return await self._line.do(calls.run_of(id))

    async def delete_run(self, run: Run | int) -> None:
        """Archive a run."""
        await self._line.do(calls.delete_run(run.id if isinstance(run, Run) else int(run)))

    async def runs(self) -> list[Run]:
        """All runs but archived ones, by number, without their curves."""
        found: list[Run] = []
        project, client, cursor = (await self.spec()).project, await self.remote.client(), None
        while True:
            page, cursor = await self._line.do(calls.runs(self.id, project, client, cursor))
            found += page
            if cursor is None:
                return sorted(found, key=lambda run: run.number)

    async def best_runs(self) -> list[Run]:
        """The best feasible run, or the Pareto front of several objectives."""
        return await self._line.do(calls.best_runs(self.id))

    async def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return await self._line.do(calls.remaining(self.id)) == 0

    async def convergence(self) -> dict[str, Any]:
        """Whether more runs would still win anything, with the reason."""
        return await self._line.do(calls.stopping(self.id))

    async def archive(self, is_archived: bool = True) -> None:
        """Hide it from lists, or show it again."""
        await self._line.do(calls.archive(self.id, is_archived))


def connect_async(url: str, token: str = "", *, patience: float = PATIENCE) -> AsyncRemote:
    """A service, to be used from an event loop; see :func:`heliostat.client.connect`."""
    return AsyncRemote(url, token, patience)
