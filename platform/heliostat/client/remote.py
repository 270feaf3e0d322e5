"""An experiment on a service, with the methods that a local one has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from heliostat.client import calls
from heliostat.client.objects import RemoteEvent
from heliostat.client.run import RemoteRun
from heliostat.client.transport import PATIENCE, Line
from heliostat.errors import Conflict, InvalidValue
from heliostat.experiment import ExperimentSpec
from heliostat.trial import Run

WAIT = 25.0
"""Seconds that one call for events waits."""


class Remote:
    """A service; as a context manager it is closed at the end.

    Args:
        url: Its address.
        token: Who calls.
        patience: Seconds for which calls are repeated while it cannot be reached.
    """

    def __init__(self, url: str, token: str, patience: float = PATIENCE) -> None:
        self.url = url.rstrip("/")
        self._line = Line(url, token, patience)
        self._client: str | None = None

    @property
    def client(self) -> str:
        """The team that the token belongs to."""
        if self._client is None:
            self._client = self._line.do(calls.own_token())
        return self._client

    def create_experiment(
        self, name: str, *, parameters: Iterable[Any], metrics: Iterable[Any], **fields: Any
    ) -> RemoteExperiment:
        """Create an experiment from what :class:`heliostat.Experiment` takes; its project comes with it."""
        spec = calls.declared(name, parameters, metrics, fields)
        with contextlib.suppress(Conflict):  # it is there
            self._line.do(calls.settle_project(self.client, spec.project))
        return RemoteExperiment(self, self._line.do(calls.create_experiment(self.client, spec)))

    def experiment(self, id: int) -> RemoteExperiment:
        """An experiment that is there already.

        Raises:
            NotFound: There is none.
        """
        self._line.do(calls.remaining(int(id)))
        return RemoteExperiment(self, int(id))

    def experiments(self, project: str | None = None) -> list[RemoteExperiment]:
        """All experiments (of a project), newest first."""
        found: list[int] = []
        cursor: str | None = None
        while True:
            ids, cursor = self._line.do(calls.experiments(project, self.client, cursor))
            found += ids
            if cursor is None:
                return [RemoteExperiment(self, id) for id in found]

    def events(
        self, after: int = 0, *, follow: bool = False, experiment: int | None = None
    ) -> Iterator[RemoteEvent]:
        """The log's events behind a place; with `follow` without end, as they come."""
        while True:
            found, after = self._line.do(calls.events(after, WAIT if follow else 0, experiment))
            yield from found
            if not found and not follow:
                return

    def close(self) -> None:
        """End the connection."""
        self._line.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemoteExperiment:
    """An experiment on a service.

    Args:
        remote: The service.
        id: Its id there.
    """

    def __init__(self, remote: Remote, id: int) -> None:
        self.remote, self.id = remote, id
        self._line = remote._line

    @property
    def spec(self) -> ExperimentSpec:
        """The declaration, as it is now."""
        return self._line.do(calls.spec_of(self.id))

    @property
    def name(self) -> str:
        """The declared name."""
        return self.spec.name

    def loop(
        self, budget: int | None = None, *, name: str | None = None, lease: float | None = None
    ) -> Iterator[RemoteRun]:
        """Runs to execute, one after the other, until budget or space are used up, whoever else takes part.

        Args:
            budget: At most so many runs in this loop.
            name: Of the runs, for people.
            lease: Seconds without a report after which a run goes to somebody else.
        """
        done = 0
        while budget is None or done < budget:
            asked = self._line.do(calls.ask(self.id, lease=lease, name=name))
            if not asked.runs:
                return
            run = RemoteRun(self._line, self.id, asked.runs[0])
            is_back = False
            try:
                yield run
                is_back = True
            finally:
                if not is_back and run.ended is None:
                    run.give_back()
            run.end()
            done += 1

    def ask(self, *, lease: float | None = None, name: str | None = None) -> RemoteRun:
        """One run; end it with :meth:`tell` or ``with run:``.

        Raises:
            InvalidValue: Budget or space are used up.
        """
        asked = self._line.do(calls.ask(self.id, lease=lease, name=name))
        if not asked.runs:
            raise InvalidValue("ask", asked.reason, remedy="Raise the budget.")
        return RemoteRun(self._line, self.id, asked.runs[0])

    def create_run(self, name: str | None = None, metadata: Mapping[str, Any] | None = None) -> RemoteRun:
        """:meth:`ask`, under the name that the sigopt module gave it."""
        asked = self._line.do(calls.ask(self.id, name=name, metadata=metadata))
        if not asked.runs:
            raise InvalidValue("ask", asked.reason, remedy="Raise the budget.")
        return RemoteRun(self._line, self.id, asked.runs[0])

    def tell(self, run: RemoteRun, values: Mapping[str, Any] | None = None, *, failed: bool = False) -> Run:
        """Report and end a run: with its metric values, or as failed."""
        run.log_metrics(values or {})
        if failed:
            run.log_failure()
        return run.end()

    def add(
        self, assignments: Mapping[str, Any], values: Mapping[str, Any], *, task: str | None = None
    ) -> Run:
        """Record a run that was made elsewhere; searchers learn from it."""
        return self._line.do(calls.add(self.id, assignments, values, task))

    def queue(self, assignments: Mapping[str, Any], *, task: str | None = None) -> int:
        """Have a point tried before the searcher is asked again; its id in the queue."""
        return self._line.do(calls.queue(self.id, assignments, task))

    def queued(self) -> list[dict[str, Any]]:
        """The points that wait in the queue, next one first."""
        return self._line.do(calls.queued(self.id))

    def unqueue(self, id: int) -> None:
        """Take a point out of the queue."""
        self._line.do(calls.unqueue(self.id, id))

    def update(self, **changes: Any) -> ExperimentSpec:
        """Change the declaration, also while it runs."""
        return self._line.do(calls.update(self.id, changes))

    def update_run(
        self, run: Run | int, values: Mapping[str, Any] | None = None, *, failed: bool | None = None
    ) -> Run:
        """Set right what is known of a run that has ended."""
        id = run.id if isinstance(run, Run) else int(run)
        self._line.do(calls.update_run(self.id, id, values, failed))
        return self._line.do(calls.run_of(id))

    def delete_run(self, run: Run | int) -> None:
        """Archive a run: it is learned from no more and gives its part of the budget back."""
        self._line.do(calls.delete_run(run.id if isinstance(run, Run) else int(run)))

    def runs(self) -> list[Run]:
        """All runs but archived ones, by number, without their curves."""
        found: list[Run] = []
        project, cursor = self.spec.project, None
        while True:
            page, cursor = self._line.do(calls.runs(self.id, project, self.remote.client, cursor))
            found += page
            if cursor is None:
                return sorted(found, key=lambda run: run.number)

    def best_runs(self) -> list[Run]:
        """The best feasible run, or the Pareto front of several objectives."""
        return self._line.do(calls.best_runs(self.id))

    get_runs, get_best_runs = runs, best_runs
    """The names that the sigopt module gave them."""

    def best(self) -> Run | None:
        """The best feasible run; with several objectives, the one that is best in the first."""
        found = self.best_runs()
        if not found:
            return None
        first = self.spec.metrics.objectives[0]
        return max(found, key=lambda run: first.sign * run.numbers[first.name])

    def is_finished(self) -> bool:
        """Whether the budget is used up."""
        return self._line.do(calls.remaining(self.id)) == 0

    def convergence(self) -> dict[str, Any]:
        """Whether more runs would still win anything, with the reason."""
        return self._line.do(calls.stopping(self.id))

    def archive(self, is_archived: bool = True) -> None:
        """Hide it from lists, or show it again."""
        self._line.do(calls.archive(self.id, is_archived))

    def __repr__(self) -> str:
        return f"<experiment {self.id} at {self.remote.url}>"


def connect(url: str, token: str = "", *, patience: float = PATIENCE) -> Remote:
    """A service, to be used from threads.

    Args:
        url: Its address, such as ``http://127.0.0.1:8000``.
        token: Who calls.
        patience: Seconds for which calls are repeated while it cannot be reached.
    """
    return Remote(url, token, patience)
