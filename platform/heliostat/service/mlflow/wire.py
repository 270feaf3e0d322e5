"""What the calls of MLflow's wire share: reading runs and experiments by MLflow's ids, writing, waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from weakref import WeakValueDictionary

from heliostat.errors import NotFound
from heliostat.ports import ProjectRecord
from heliostat.query import Filter, RunQuery
from heliostat.service.backend import Backend
from heliostat.service.mlflow import identities, views
from heliostat.service.mlflow.creations import Creations
from heliostat.service.mlflow.points import Latest
from heliostat.service.mlflow.refusals import MlflowRefusal
from heliostat.trial import Run
from heliostat.writes import Reply, Write

PROJECT_SECONDS = 1.0
"""For how long another process's change of an experiment may go unnoticed."""


class Wire:
    """One process's share of MLflow's wire.

    Attributes:
        backend: The process's share of the service.
        creations: Runs that are being made.
        latest: The newest steps of metrics.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.creations = Creations()
        self.latest = Latest()
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._projects: dict[str, ProjectRecord] = {}
        self._read = -float("inf")

    @cached_property
    def identity(self) -> str:
        """The log's identity."""
        return self.backend.log.identity

    async def prepare(self) -> None:
        """Read what all calls need, off the event loop."""
        if "identity" not in vars(self):
            await self.backend.read(lambda: self.identity)

    @staticmethod
    def now() -> float:
        """Seconds since the epoch."""
        return time.time()

    async def write(self, *writes: Write) -> list[Reply]:
        """Apply writes in order; returns once all are durable."""
        return await self.backend.write(*writes) if writes else []

    async def projects(self, *, fresh: bool = False) -> dict[str, ProjectRecord]:
        """All projects by id; the one that MLflow expects to be there always is among them."""
        if fresh or time.monotonic() - self._read > PROJECT_SECONDS:
            asked = time.monotonic()
            records = await self.backend.read(self.backend.log.projects)
            default = identities.DEFAULT_PROJECT
            empty = ProjectRecord(default, default, 0.0, 0.0, {}, False, 0, 0)
            self._projects = {default: empty} | {record.id: record for record in records}
            self._read = asked
        return self._projects

    def forget_projects(self) -> None:
        """A project was changed here."""
        self._read = -float("inf")

    async def project(self, experiment: str, *, fresh: bool = False) -> ProjectRecord:
        """The project behind an experiment's id.

        Raises:
            NotFound: There is none.
        """
        projects = await self.projects(fresh=fresh)
        id = identities.project_of(experiment, projects)
        if id is None and not fresh:
            projects = await self.projects(fresh=True)
            id = identities.project_of(experiment, projects)
        if id is None:
            rule = f"No Experiment with id={experiment[:256]} exists"
            raise NotFound(rule, remedy="Take it from experiments/search.")
        return projects[id]

    async def active_project(self, experiment: str) -> ProjectRecord:
        """As :meth:`project`, for calls that write.

        Raises:
            NotFound: There is none.
            MlflowRefusal: It was deleted.
        """
        found = await self.project(experiment)
        if found.archived:
            found = await self.project(experiment, fresh=True)
        if found.archived:
            rule = f"The experiment {experiment} must be in the 'active' state. Current state is deleted"
            raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Restore it.")
        return found

    async def project_of(self, run: Run) -> ProjectRecord:
        """A run's project."""
        projects = await self.projects()
        if run.project not in projects:
            projects = await self.projects(fresh=True)
        return projects[run.project]

    def number(self, uuid: str) -> int:
        """Our own id of a run.

        Raises:
            NotFound: It is no id of this log's.
        """
        return identities.run_of(self.identity, uuid)

    async def run(self, uuid: str, *, curve: bool = False) -> Run:
        """The run behind an id of MLflow's.

        Raises:
            NotFound: There is none.
        """
        return await self.run_by_number(self.number(uuid), uuid, curve=curve)

    async def run_by_number(self, id: int, uuid: str, *, curve: bool = False) -> Run:
        """A run by our own id; `uuid` is for the error.

        Raises:
            NotFound: There is none.
        """
        log = self.backend.log
        if curve:
            return await self.backend.read(log.run, id)
        query = RunQuery(Filter("id", "==", id), archived=True)
        page = await self.backend.read(log.query, query)
        if not page.runs:
            raise NotFound(f"Run with id={uuid[:256]} not found", remedy="Take it from runs/search.")
        return page.runs[0]

    async def active_run(self, uuid: str, *, curve: bool = False) -> Run:
        """As :meth:`run`, for calls that write.

        Raises:
            NotFound: There is none.
            MlflowRefusal: It was deleted.
        """
        found = await self.run(uuid, curve=curve)
        if views.is_deleted(found, await self.project_of(found)):
            rule = f"The run {uuid} must be in the 'active' state. Current state is deleted"
            raise MlflowRefusal("INVALID_PARAMETER_VALUE", rule, remedy="Restore it.")
        return found

    async def model_run(self, model: str, *, curve: bool = False) -> Run:
        """The run that a logged model belongs to.

        Raises:
            NotFound: There is no such model.
        """
        id = identities.model_run(self.identity, model)
        try:
            return await self.run_by_number(id, model, curve=curve)
        except NotFound:
            raise identities.no_model(model) from None

    @asynccontextmanager
    async def alone(self, run: int) -> AsyncIterator[None]:
        """One call at a time for what is read, judged and written of a run."""
        lock = self._locks.setdefault(run, asyncio.Lock())
        async with lock:
            yield
