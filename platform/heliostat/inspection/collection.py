"""Asking every node: one actor pinned to each, gone when the answers are in."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray._private.worker import get_dashboard_url
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from heliostat.errors import NotFound
from heliostat.inspection import probe
from heliostat.inspection.facts import ClusterFacts, Listener, Mark, NodeFacts, Question
from heliostat.inspection.verdicts import Finding, judged

CLIENT_PORT = 10001
LOOKED = 16
"""Files that each node looks for: one with a storage of its own sees none of them, however many there are."""

HAPROXY_PORTS = {8404: "HAProxy statistics", 9101: "HAProxy metrics"}
"""Of Ray Serve's HAProxy mode; they know no token."""

HEAD_ONLY = ("dashboard", "GCS", "Ray Client")
"""On other nodes, something else may listen on the same number."""

ROUNDS = 5
"""Readings of a clock; the one with the quickest answer counts."""


def check_cluster(question: Question | None = None) -> tuple[Finding, ...]:
    """Ask every node of the cluster that this process belongs to, and judge.

    The run log is written to: an archived project ``cluster-check`` notes the last check. The storage gets
    one small file from each node, which is removed.

    Args:
        question: What to look at beyond Ray itself.

    Returns:
        One finding for each check, in a fixed order; those that nobody asked for say ``skip``.
    """
    question = question or Question()
    return judged(collect(question), question)


def join(address: str | None = None) -> None:
    """Connect to a running cluster.

    Args:
        address: Of its head node, ``host:6379``; by default ``$RAY_ADDRESS``, else the one on this machine.

    Raises:
        NotFound: There is none.
    """
    try:
        _refuse_silence(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        remedy = (
            "Run this on the head node, or give HOST:6379; set RAY_AUTH_MODE and the token as the nodes do."
        )
        raise NotFound(f"no Ray cluster answers ({str(error).splitlines()[0]})", remedy=remedy) from None


def _refuse_silence(address: str) -> None:
    """Ray itself would try an address that nobody answers for minutes."""
    if address.startswith("http"):
        raise ValueError(f"{address} is a dashboard's address, for ray job submit")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=10):
            return


def collect(question: Question) -> ClusterFacts:
    """The facts behind :func:`check_cluster`."""
    living = [node for node in ray.nodes() if node["Alive"]]
    living.sort(key=lambda node: (not _is_head(node), node["NodeManagerAddress"], node["NodeID"]))
    ray.cloudpickle.register_pickle_by_value(probe)
    try:
        made = ray.remote(num_cpus=0)(probe.Probe)
        probes = [made.options(scheduling_strategy=_pinned(node)).remote() for node in living]
        try:
            rounds = _Rounds(probes, question.patience)
            return _facts(rounds, living, question)
        finally:
            for actor in probes:
                ray.kill(actor)
    finally:
        ray.cloudpickle.unregister_pickle_by_value(probe)


class _Rounds:
    """The same question to all probes at once; who failed one is not asked again.

    Args:
        probes: One for each node.
        patience: Seconds for a round.
    """

    def __init__(self, probes: Sequence[Any], patience: float) -> None:
        self._probes = probes
        self._patience = patience
        self.errors = [""] * len(probes)

    def ask(self, name: str, *args: Any) -> list[Any]:
        """The answers by place, ``None`` where there is none."""
        return self.ask_each(name, lambda place: args)

    def ask_each(self, name: str, args: Callable[[int], tuple[Any, ...] | None]) -> list[Any]:
        """The same with arguments of each place's own; ``None`` leaves a place out."""
        until = time.monotonic() + self._patience
        given = [None if error else args(place) for place, error in enumerate(self.errors)]
        asked = [
            None if own is None else getattr(actor, name).remote(*own)
            for own, actor in zip(given, self._probes, strict=True)
        ]
        return [self._answer(place, reference, until) for place, reference in enumerate(asked)]

    def clock(self, place: int) -> tuple[float, float]:
        """How far a node's clock is ahead, and how far off that may be, in seconds."""
        readings = [self._reading(place) for _ in range(ROUNDS) if not self.errors[place]]
        return min(readings, key=lambda reading: reading[1], default=(0.0, 0.0))

    def _reading(self, place: int) -> tuple[float, float]:
        before, begun = time.time(), time.monotonic()
        reference = self._probes[place].clock.remote()
        there = self._answer(place, reference, begun + self._patience)
        half = (time.monotonic() - begun) / 2
        return (0.0, float("inf")) if there is None else (there - before - half, half)

    def _answer(self, place: int, reference: Any, until: float) -> Any:
        if reference is None:
            return None
        try:
            return ray.get(reference, timeout=max(0.1, until - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            self.errors[place] = f"not within {self._patience:g} s"
        except ray.exceptions.RayError as error:
            self.errors[place] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        return None


def _facts(rounds: _Rounds, living: Sequence[dict[str, Any]], question: Question) -> ClusterFacts:
    about = rounds.ask("about")
    clocks = [rounds.clock(place) for place in range(len(living))]
    dashboard = get_dashboard_url() or ""
    ports = _known_ports(dashboard)
    listeners = rounds.ask("listeners", ports)
    gpus = rounds.ask("gpus")
    logs = rounds.ask("log", question.log) if question.log else []
    services = rounds.ask("answers", question.service) if question.service else []
    storages = _storage_marks(rounds, living, question.storage) if question.storage else []
    nodes = []
    for place, node in enumerate(living):
        name = _name(node, living)
        if rounds.errors[place]:
            nodes.append(NodeFacts(name, error=rounds.errors[place]))
            continue
        nodes.append(
            NodeFacts(
                name,
                host=about[place]["host"],
                versions=about[place]["versions"],
                skew=clocks[place][0],
                uncertainty=clocks[place][1],
                declared_gpus=node["Resources"].get("GPU", 0.0),
                seen_gpus=gpus[place],
                auth=about[place]["auth"],
                listeners=tuple(
                    Listener(what, address, port, port not in HAPROXY_PORTS)
                    for what, address, port in listeners[place]
                    if what not in HEAD_ONLY or _is_head(node)
                ),
                log=Mark(logs[place]) if logs else None,
                storage=storages[place] if storages else None,
                service=Mark(services[place]) if services else None,
            )
        )
    return ClusterFacts(tuple(nodes), dashboard, _status(dashboard))


def _storage_marks(rounds: _Rounds, living: Sequence[dict[str, Any]], place: str) -> list[Mark]:
    """Each node writes a file, then each looks for the files of all."""
    token = secrets.token_hex(4)
    names = [f"{token}-{number}" for number in range(len(living))]
    errors = rounds.ask_each("write_storage", lambda number: (place, names[number]))
    written = {number for number, error in enumerate(errors) if error == ""}
    looked = [names[number] for number in sorted(written)[:LOOKED]]
    missing = rounds.ask_each("missing", lambda number: (place, looked) if number in written else None)
    rounds.ask_each("tidy_storage", lambda number: (place, names[number]) if number in written else None)
    shown = {names[number]: _name(living[number], living) for number in written}
    return [
        Mark(error or "", tuple(shown[name] for name in unseen or ()))
        for error, unseen in zip(errors, missing, strict=True)
    ]


def _known_ports(dashboard: str) -> dict[int, str]:
    found = {CLIENT_PORT: "Ray Client", **HAPROXY_PORTS}
    for what, address in (("GCS", ray.get_runtime_context().gcs_address), ("dashboard", dashboard)):
        with suppress(ValueError):  # no dashboard
            found[int(address.rpartition(":")[2])] = what
    return found


def _status(dashboard: str) -> int | None:
    """HTTP status of a call without a token."""
    if not dashboard:
        return None
    try:
        with urllib.request.urlopen(f"http://{dashboard}/api/version", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def _name(node: dict[str, Any], living: Sequence[dict[str, Any]]) -> str:
    """A node's address, with its first digits where several nodes share one."""
    address = str(node["NodeManagerAddress"])
    shared = sum(other["NodeManagerAddress"] == address for other in living) > 1
    return f"{address} ({node['NodeID'][:6]})" if shared else address


def _is_head(node: dict[str, Any]) -> bool:
    return "node:__internal_head__" in node["Resources"]


def _pinned(node: dict[str, Any]) -> Any:
    return NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
