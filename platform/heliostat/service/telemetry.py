"""The service's counters, of all its processes and stewards, in Prometheus's text form."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from heliostat.service.backend import Backend
from heliostat.service.board import PERIOD, Board, Families
from heliostat.service.wire.stewards import stewards
from heliostat.steering import Status


class Telemetry:
    """What one process knows of the service's counters.

    Args:
        backend: Whose counters, log and stewards.

    Attributes:
        process: Name of this process among those of the service.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.process = f"{socket.gethostname()}-{backend.process}"
        self._board = _board_of(backend)

    async def visit(self) -> dict[str, Families]:
        """Share this process's counters; those of all."""
        own = list(self._backend.record.registry.collect())
        return {self.process: own} if self._board is None else await self._board.visit(self.process, own)

    async def keep_visiting(self) -> None:
        """Share this process's counters for as long as it lives."""
        while self._board is not None:
            await self.visit()
            await asyncio.sleep(PERIOD)

    async def text(self) -> bytes:
        """The counters of all processes and of all stewards that are awake."""
        pages = await self.visit()
        statuses = await self._backend.part(stewards).statuses()
        return exposition([*labelled(pages), *standings(statuses)])


def labelled(pages: Mapping[str, Iterable[Metric]]) -> list[Metric]:
    """The families of several processes as one each, whose samples say in ``process`` where they are from."""
    families: dict[str, Metric] = {}
    for process, page in sorted(pages.items()):
        for family in page:
            whole = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type, family.unit)
            )
            whole.samples += [
                sample._replace(labels={**sample.labels, "process": process}) for sample in family.samples
            ]
    return list(families.values())


def standings(statuses: Sequence[Status]) -> list[Metric]:
    """How the stewards stand, by experiment."""
    labels = ("experiment",)
    gauges = {
        "open_runs": "Suggestions handed out whose runs have not ended.",
        "ready_suggestions": "Suggestions made ahead that wait to be handed out.",
        "waiting_askings": "Askings that wait for a suggestion.",
        "log_lag_events": "Events of the run log that the steward has still to read, up to 1,000.",
    }
    counters = {
        "askings": "Askings that the steward has answered since it began.",
        "thinking": "Times that the searcher was asked since its steward began.",
        "thinking_seconds": "What the searcher's answers took, fits of its models included.",
    }
    families: dict[str, Metric] = {
        **{
            name: GaugeMetricFamily(f"heliostat_{name}", text, labels=labels) for name, text in gauges.items()
        },
        **{
            name: CounterMetricFamily(f"heliostat_{name}", text, labels=labels)
            for name, text in counters.items()
        },
    }
    for status in statuses:
        pulse, of = status.pulse, {"experiment": str(status.experiment)}
        values = {
            "open_runs": pulse.open,
            "ready_suggestions": pulse.ready,
            "waiting_askings": status.waiting,
            "log_lag_events": pulse.behind,
            "askings": status.answered,
            "thinking": pulse.answers,
            "thinking_seconds": pulse.seconds,
        }
        for name, value in values.items():
            total = "_total" if name in counters else ""
            families[name].add_sample(f"heliostat_{name}{total}", of, value)
    return list(families.values())


def exposition(families: Iterable[Metric]) -> bytes:
    """Prometheus's text form, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _board_of(backend: Backend) -> Board | None:
    """The board of the cluster that this process belongs to, if it does."""
    ray = sys.modules.get("ray")
    return Board(backend.log.identity) if ray is not None and ray.is_initialized() else None
