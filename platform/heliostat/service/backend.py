"""What a process of the service holds: the run log, the admitted tokens, and parts made once."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from heliostat.errors import HeliostatError
from heliostat.ports import RunLog
from heliostat.registry import open_log
from heliostat.service.admission import Admission
from heliostat.service.record import Record
from heliostat.service.settings import ServiceSettings
from heliostat.writes import Reply, Write

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

THREADS = 8
"""Reads at a time in one process; each has a connection of its own."""


class Backend:
    """One process's share of the service.

    Args:
        settings: How it is set up.
        log: The run log; by default the one that the settings name, opened here and closed with this.

    Attributes:
        settings: As given.
        record: Where calls are counted and written down.
        log: Where everything is.
        admission: Who may come in.
        dialects: By the beginning of a path: what an error there says beside SigOpt's words.
    """

    def __init__(self, settings: ServiceSettings, log: RunLog | None = None) -> None:
        self.settings = settings
        self.record = Record()
        self._owns_log = log is None
        self.log = open_log(settings.log) if log is None else log
        self.admission = Admission(self.log, settings)
        self.dialects: dict[str, Callable[[HeliostatError], Mapping[str, Any]]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="heliostat-reads")
        self._parts: dict[Any, Any] = {}
        self._making = threading.Lock()
        self.process = os.getpid()

    async def read(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call what may wait for the disk or another process, off the event loop."""
        loop = asyncio.get_running_loop()
        call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await loop.run_in_executor(self._threads, call)

    async def write(self, *writes: Write) -> list[Reply]:
        """Apply writes in order; returns once all are durable.

        Raises:
            HeliostatError: The first error; the other writes may have been applied.
        """
        began = time.perf_counter()
        futures = [asyncio.wrap_future(self.log.submit(write)) for write in writes]
        found = await asyncio.gather(*futures, return_exceptions=True)
        self.record.writing.observe(time.perf_counter() - began)
        for item in found:
            if isinstance(item, BaseException):
                raise item
        return [item for item in found if isinstance(item, Reply)]

    def part(self, make: Callable[[Backend], Result]) -> Result:
        """What `make` makes of this backend, made at the first call and kept: caches, links to actors."""
        with self._making:
            if make not in self._parts:
                self._parts[make] = make(self)
            found: Result = self._parts[make]
            return found

    def close(self) -> None:
        """Finish what is running and release the log; parts that have a ``close`` are closed first."""
        for part in self._parts.values():
            close = getattr(part, "close", None)
            if callable(close):
                close()
        self._threads.shutdown(wait=True)
        if self._owns_log:
            self.log.close()
